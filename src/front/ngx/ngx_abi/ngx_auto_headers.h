/* SPDX-License-Identifier: Apache-2.0
 * Which system headers nginx' configure found on Linux. See ngx_auto_config.h. */
#ifndef TILLIT_NGX_AUTO_HEADERS_H
#define TILLIT_NGX_AUTO_HEADERS_H

#define NGX_HAVE_UNISTD_H 1
#define NGX_HAVE_INTTYPES_H 1
#define NGX_HAVE_LIMITS_H 1
#define NGX_HAVE_SYS_PARAM_H 1
#define NGX_HAVE_SYS_MOUNT_H 1
#define NGX_HAVE_SYS_STATVFS_H 1
#define NGX_HAVE_CRYPT_H 1
#define NGX_HAVE_SYS_PRCTL_H 1
#define NGX_HAVE_SYS_VFS_H 1
#ifndef NGX_LINUX
#define NGX_LINUX 1
#endif

#endif
