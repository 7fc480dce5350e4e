// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/manual.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "cmd/options.h"

/* All that is literal: each '-' is one, not a hyphen. */
static void put_literal(FILE *out, const char *text)
{
	static const struct {
		char c;
		const char *roff;
	} specials[] = { { '\\', "\\e" }, { '-', "\\-" }, { '`', "\\(ga" }, { '\'', "\\(aq" }, { '~', "\\(ti" }, { '^', "\\(ha" } };

	for (; *text; text++) {
		size_t i = 0;

		while (i < sizeof(specials) / sizeof(specials[0]) && specials[i].c != *text)
			i++;
		if (i < sizeof(specials) / sizeof(specials[0]))
			fputs(specials[i].roff, out);
		else
			fputc(*text, out);
	}
}

/* Lines of text; in words that begin with a '-' (options, negative numbers) each is literal. */
static void put_text(FILE *out, const char *text)
{
	bool line_begins = true, literal = false;

	for (char last = ' '; *text; last = *text++) {
		if (line_begins && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		line_begins = *text == '\n';
		if (*text == '-' && !isalnum((unsigned char)last))
			literal = true;
		else if (*text != '-' && !isalnum((unsigned char)*text))
			literal = false;
		if (*text == '\\' || *text == '`' || (*text == '-' && literal))
			put_literal(out, (char[]){ *text, '\0' });
		else
			fputc(*text, out);
	}
}

static void put_bold(FILE *out, const char *text)
{
	fputs("\\fB", out);
	put_literal(out, text);
	fputs("\\fR", out);
}

static void put_options(FILE *out)
{
	struct option_doc doc;

	fputs(".SH OPTIONS\n", out);
	for (size_t i = 0; options_doc(i, &doc); i++) {
		fputs(".TP\n", out);
		if (doc.letter) {
			put_bold(out, (char[]){ '-', doc.letter, '\0' });
			fputs(", ", out);
		}
		fputs("\\fB\\-\\-", out);
		put_literal(out, doc.name);
		fputs("\\fR", out);
		if (doc.arg) {
			fputs(" \\fI", out);
			put_literal(out, doc.arg);
			fputs("\\fR", out);
		}
		fputc('\n', out);
		put_text(out, doc.help);
		fputc('\n', out);
	}
}

static void put_commands(FILE *out)
{
	const char *name, *about;
	enum action action;

	fputs(".SH COMMANDS\n", out);
	for (size_t i = 0; (name = options_action(i, &action, &about)); i++) {
		fputs(".TP\n", out);
		put_bold(out, name);
		fputc('\n', out);
		put_text(out, about);
		fputc('\n', out);
	}
}

static void put_exit_status(FILE *out)
{
	static const struct {
		enum fail code;
		const char *what;
	} codes[] = {
		{ FAIL_NONE, "done" },
		{ FAIL_GENERAL, "failed" },
		{ FAIL_USAGE, "wrong usage" },
		{ FAIL_KERNEL, "the kernel or the privileges do not allow it" },
		{ FAIL_TARGET, "no such process, or nothing in it to probe" },
	};

	fputs(".SH EXIT STATUS\n", out);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		fprintf(out, ".TP\n\\fB%d\\fR\n%s\n", codes[i].code, codes[i].what);
}

int manual_print(FILE *out, struct err *err)
{
	const struct options_text *text = &options_text;

	fputs(".TH ALLOCSNOOP 8 \"" ALLOCSNOOP_DATE "\" \"allocsnoop " ALLOCSNOOP_VERSION "\" \"System Administration\"\n"
	      ".SH NAME\nallocsnoop \\- who allocates memory in a running process, and what made its RSS grow\n"
	      ".SH SYNOPSIS\n",
	      out);
	for (size_t i = 0; text->synopsis[i]; i++) {
		fputs(i ? ".br\n" : "", out);
		put_bold(out, "allocsnoop");
		fputc(' ', out);
		put_literal(out, text->synopsis[i]);
		fputc('\n', out);
	}
	fputs(".SH DESCRIPTION\n", out);
	put_text(out, text->about);
	put_commands(out);
	put_options(out);
	put_exit_status(out);
	fputs(".SH EXAMPLES\n", out);
	for (const struct options_example *e = text->examples; e->command; e++) {
		fprintf(out, "%s\n\\fBallocsnoop ", e->what[0] ? ".TP" : ".PP");
		put_literal(out, e->command);
		fputs("\\fR\n", out);
		if (e->what[0]) {
			put_text(out, e->what);
			fputc('\n', out);
		}
	}
	if (fflush(out) || ferror(out))
		return err_set(err, FAIL_GENERAL, -EIO, "cannot write the manual page: %s", strerror(errno));
	return 0;
}
