// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/paper.h"

#include <stdarg.h>

#include "base/units.h"

void paper_init(struct paper *paper, FILE *out, uint32_t width, bool color)
{
	if (!width)
		width = 100;
	if (width < PAPER_MIN_WIDTH)
		width = PAPER_MIN_WIDTH;
	if (width > PAPER_MAX_WIDTH)
		width = PAPER_MAX_WIDTH;
	*paper = (struct paper){ .out = out, .color = color, .width = width };
}

size_t paper_left(const struct paper *paper)
{
	return paper->column < paper->width ? paper->width - paper->column : 0;
}

void paper_newline(struct paper *paper)
{
	fputc('\n', paper->out);
	paper->column = 0;
}

void paper_indent(struct paper *paper, size_t columns)
{
	for (; paper->column < columns; paper->column++)
		fputc(' ', paper->out);
}

void paper_put(struct paper *paper, enum style style, const char *clean)
{
	static const char *const on[STYLE__N] = {
		[STYLE_BOLD] = "\033[1m",
		[STYLE_DIM] = "\033[2m",
		[STYLE_ALERT] = "\033[1;31m",
	};
	bool styled = paper->color && on[style] && *clean;

	fprintf(paper->out, "%s%s%s", styled ? on[style] : "", clean, styled ? "\033[0m" : "");
	paper->column += text_columns(clean);
}

void paper_right(struct paper *paper, enum style style, size_t columns, const char *clean)
{
	size_t width = text_columns(clean);

	if (width < columns)
		paper_indent(paper, paper->column + columns - width);
	paper_put(paper, style, clean);
}

void paper_name(struct paper *paper, enum style style, const char *untrusted, size_t columns)
{
	char clean[4096], cut[4096];

	name_clean(clean, sizeof(clean), untrusted);
	text_cut_middle(cut, sizeof(cut), clean, columns);
	paper_put(paper, style, cut);
}

void paper_item(struct paper *paper, enum style style, const char *fmt, ...)
{
	char text[1024], clean[1024];
	size_t columns;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	name_clean(clean, sizeof(clean), text);
	columns = text_columns(clean);
	if (paper->column && columns + 2 > paper_left(paper)) {
		paper_newline(paper);
		paper_indent(paper, PAPER_WRAP_INDENT);
	} else if (paper->column) {
		paper_indent(paper, paper->column + 2);
	}
	paper_name(paper, style, clean, paper_left(paper));
}
