/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of a text report: styles, width, wrapping. Of export/, and of the preflight. */
#ifndef ALLOCSNOOP_EXPORT_PAPER_H
#define ALLOCSNOOP_EXPORT_PAPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_ALERT, STYLE__N };

struct paper {
	FILE *out;
	bool color;
	size_t width; /* columns of a line */
	size_t column; /* where the line is */
};

#define PAPER_MIN_WIDTH 72
#define PAPER_MAX_WIDTH 500
#define PAPER_WRAP_INDENT 4

/* @width 0 is 100; others are brought into PAPER_MIN_WIDTH to PAPER_MAX_WIDTH. */
void paper_init(struct paper *paper, FILE *out, uint32_t width, bool color);

size_t paper_left(const struct paper *paper); /* columns left on the line */
void paper_newline(struct paper *paper);
void paper_indent(struct paper *paper, size_t columns); /* spaces up to that column */
void paper_put(struct paper *paper, enum style style, const char *clean);
/* Right-aligned in @columns. */
void paper_right(struct paper *paper, enum style style, size_t columns, const char *clean);
/* Cleaned, and cut in the middle to at most @columns. */
void paper_name(struct paper *paper, enum style style, const char *untrusted, size_t columns);
/* Two spaces and the text; on a new, indented line if it does not fit on this one. */
void paper_item(struct paper *paper, enum style style, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
