/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page that shows a profile, without the profile (html/README.md). */
#ifndef ALLOCSNOOP_EXPORT_HTML_PAGE_H
#define ALLOCSNOOP_EXPORT_HTML_PAGE_H

#include <stddef.h>

/* Where the data goes in the page; there once. */
#define HTML_PAGE_MARK "@ALLOCSNOOP_DATA@"

/* Its bytes, static, not NUL-terminated; 0 of them: this program was built without it. */
const char *html_page(size_t *ret_len);

#endif
