/* SPDX-License-Identifier: Apache-2.0
 * What the files of policy share, and no other room includes.
 * Role: shapes of names. Trusts: its callers in this room. Law: 4. Spec: docs/spec/policy.md.
 */
#ifndef TILLIT_POLICY_INTERNAL_H
#define TILLIT_POLICY_INTERNAL_H

#include "policy/policy.h"

#define POLICY_STATE_MAGIC 0x54505331u /* "TPS1" */

bool policy_account_ok(struct slice account);
bool policy_access_key_ok(struct slice key);

#endif
