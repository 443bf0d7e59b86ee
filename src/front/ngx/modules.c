/* SPDX-License-Identifier: Apache-2.0
 * The three symbols by which nginx finds a dynamic module.
 * Role: what nginx' build would generate. Trusts: nothing. Spec: nginx, src/core/ngx_module.c.
 */
#include <ngx_config.h>
#include <ngx_core.h>

extern ngx_module_t ngx_http_tillit_module;

#define EXPORTED __attribute__((visibility("default")))
extern ngx_module_t *ngx_modules[];
extern char *ngx_module_names[];
extern char *ngx_module_order[];

EXPORTED ngx_module_t *ngx_modules[] = {&ngx_http_tillit_module, NULL};
EXPORTED char *ngx_module_names[] = {(char *)(uintptr_t)"ngx_http_tillit_module", NULL};
EXPORTED char *ngx_module_order[] = {NULL};
