// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page of html.c as user/export/html/build.sh made it, or no bytes where it could not.
 * HTML_PAGE: the file; make knows that this object is of it.
 */
#include "export/html_page.h"

__asm__(".pushsection .rodata\n"
	"html_page_begin:\n"
	".incbin \"" HTML_PAGE "\"\n"
	"html_page_end:\n"
	".popsection\n");

extern const char begin[] __asm__("html_page_begin"), end[] __asm__("html_page_end");

const char *html_page(size_t *ret_len)
{
	*ret_len = (size_t)(end - begin);
	return begin;
}
