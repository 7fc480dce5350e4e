// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One script per shell. What differs from option to option comes from the table; what is fixed (lists after commas,
 * a command behind --, the first word) is text here. Options are offered where options_takes() has them: in "capture"
 * (no first word), record, report, ...
 */
#include "cmd/completion.h"

#include <errno.h>
#include <string.h>

#define CAPTURE "capture" /* in the scripts: no first word */

enum value { VALUE_NONE, VALUE_ANY, VALUE_WORD, VALUE_LIST, VALUE_FILE, VALUE_PIDS };

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static enum value value_kind(size_t option, const struct option_doc *doc)
{
	if (!doc->arg)
		return VALUE_NONE;
	if (options_value(option, 0))
		return begins(doc->arg, "LIST") ? VALUE_LIST : VALUE_WORD;
	if (begins(doc->arg, "FILE"))
		return VALUE_FILE;
	return begins(doc->arg, "PID") ? VALUE_PIDS : VALUE_ANY;
}

/* Action @i, the capture before all; NULL behind the last. */
static const char *action_at(size_t i, enum action *ret)
{
	const char *about;

	if (i)
		return options_action(i - 1, ret, &about);
	*ret = ACTION_LIVE;
	return CAPTURE;
}

/* Those that take @option, each behind a blank. */
static void put_takers(FILE *out, size_t option)
{
	enum action action;
	const char *name;

	for (size_t i = 0; (name = action_at(i, &action)); i++)
		if (options_takes(action, option))
			fprintf(out, " %s", name);
}

static void put_values(FILE *out, size_t option)
{
	const char *word;

	for (size_t i = 0; (word = options_value(option, i)); i++)
		fprintf(out, "%s%s", i ? " " : "", word);
}

static void put_action_names(FILE *out, const char *between)
{
	const char *name, *about;
	enum action action;

	for (size_t i = 0; (name = options_action(i, &action, &about)); i++)
		fprintf(out, "%s%s", i ? between : "", name);
}

static void put_shells(FILE *out)
{
	const char *shell;

	for (size_t i = 0; (shell = options_shell(i)); i++)
		fprintf(out, "%s%s", i ? " " : "", shell);
}

/* The first line of @text between single quotes of a shell; a '\' before each of @escaped. */
static void put_quoted(FILE *out, const char *text, const char *escaped)
{
	for (; *text && *text != '\n'; text++) {
		if (*text == '\'') {
			fputs("'\\''", out);
			continue;
		}
		if (strchr(escaped, *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void put_bash_option(FILE *out, size_t option, const struct option_doc *doc)
{
	if (doc->letter)
		fprintf(out, "\t-%c | ", doc->letter);
	fprintf(out, "%s--%s) ", doc->letter ? "" : "\t", doc->name);
	switch (value_kind(option, doc)) {
	case VALUE_WORD:
		fputs("words='", out);
		put_values(out, option);
		fputc('\'', out);
		break;
	case VALUE_LIST:
		fputs("list=1 words='", out);
		put_values(out, option);
		fputc('\'', out);
		break;
	case VALUE_PIDS:
		fputs("list=1 words=$(cd /proc && echo [0-9]*)", out);
		break;
	case VALUE_FILE:
		fputs("compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); return", out);
		break;
	default:
		fputs("return", out);
	}
	fputs(" ;;\n", out);
}

static void print_bash(FILE *out)
{
	struct option_doc doc;
	enum action action;
	const char *name;

	fputs("# bash completion of allocsnoop, made by `allocsnoop completion bash`.\n"
	      "_allocsnoop() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} action=" CAPTURE " list= words= head= i IFS=$' \\t\\n'\n"
	      "\tCOMPREPLY=()\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\t[[ ${COMP_WORDS[i]} == -- ]] || continue\n"
	      "\t\tif declare -F _command_offset >/dev/null; then\n"
	      "\t\t\t_command_offset $((i + 1))\n"
	      "\t\telif ((COMP_CWORD == i + 1)); then\n"
	      "\t\t\tCOMPREPLY=($(compgen -c -- \"$cur\"))\n"
	      "\t\telse\n"
	      "\t\t\tcompopt -o filenames\n"
	      "\t\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	      "\t\tfi\n"
	      "\t\treturn\n"
	      "\tdone\n"
	      "\t# --option=value comes as three words\n"
	      "\tif [[ $cur == = ]]; then\n"
	      "\t\tcur=\n"
	      "\telif [[ $prev == = ]]; then\n"
	      "\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
	      "\tfi\n"
	      "\tcase ${COMP_WORDS[1]} in\n\t", out);
	put_action_names(out, " | ");
	fputs(") ((COMP_CWORD == 1)) || action=${COMP_WORDS[1]} ;;\n\tesac\n\tcase $prev in\n", out);
	for (size_t i = 0; options_doc(i, &doc); i++)
		if (doc.arg)
			put_bash_option(out, i, &doc);
	fputs("\tesac\n"
	      "\tif [[ $words ]]; then\n"
	      "\t\t[[ ! $list || $cur != *,* ]] || head=${cur%,*},\n"
	      "\t\tCOMPREPLY=($(compgen -P \"$head\" -W \"$words\" -- \"${cur#\"$head\"}\"))\n"
	      "\t\t[[ ! $list ]] || compopt -o nospace\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tcase $action in\n", out);
	for (size_t i = 0; (name = action_at(i, &action)); i++) {
		fprintf(out, "\t%s) words='", name);
		for (size_t n = 0; options_doc(n, &doc); n++)
			if (options_takes(action, n))
				fprintf(out, "--%s ", doc.name);
		fputs("' ;;\n", out);
	}
	fputs("\tesac\n"
	      "\tif [[ $cur == -* ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tcase $action in\n"
	      "\t" CAPTURE ") ((COMP_CWORD > 1)) || COMPREPLY=($(compgen -W '", out);
	put_action_names(out, " ");
	fputs("' -- \"$cur\")) ;;\n\tcompletion) COMPREPLY=($(compgen -W '", out);
	put_shells(out);
	fputs("' -- \"$cur\")) ;;\n"
	      "\treport | diff)\n"
	      "\t\tcompopt -o filenames\n"
	      "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	      "\t\t;;\n"
	      "\tesac\n"
	      "}\n"
	      "complete -F _allocsnoop allocsnoop\n", out);
}

static void put_zsh_option(FILE *out, size_t option, const struct option_doc *doc)
{
	fputs("\t\t", out);
	if (begins(doc->name, "output"))
		fprintf(out, "'*'{-%c,--%s=}", doc->letter, doc->name);
	else if (doc->letter)
		fprintf(out, "'(-%c --%s)'{-%c,--%s%s}", doc->letter, doc->name, doc->letter, doc->name, doc->arg ? "=" : "");
	else
		fprintf(out, "--%s%s", doc->name, doc->arg ? "=" : "");
	fputs("'[", out);
	put_quoted(out, doc->help, "[]\\:");
	fputc(']', out);
	if (doc->arg) {
		fputc(':', out);
		put_quoted(out, doc->arg, "[]\\:");
		fputc(':', out);
	}
	switch (value_kind(option, doc)) {
	case VALUE_WORD:
		fputc('(', out);
		put_values(out, option);
		fputc(')', out);
		break;
	case VALUE_LIST:
		fputs("_sequence compadd - ", out);
		put_values(out, option);
		break;
	case VALUE_FILE:
		fputs("_files", out);
		break;
	case VALUE_PIDS:
		fputs("_sequence _pids", out);
		break;
	case VALUE_ANY:
		fputc(' ', out);
		break;
	case VALUE_NONE:
		break;
	}
	fputs("'\n", out);
}

static void print_zsh(FILE *out)
{
	const char *name, *about;
	struct option_doc doc;
	enum action action;

	fputs("#compdef allocsnoop\n"
	      "# zsh completion of allocsnoop, made by `allocsnoop completion zsh`.\n"
	      "_allocsnoop() {\n"
	      "\tlocal action=" CAPTURE "\n"
	      "\tlocal -i behind=${words[(i)--]}\n"
	      "\tlocal -a options actions\n"
	      "\tif (( behind < CURRENT )); then\n"
	      "\t\tshift $behind words\n"
	      "\t\t(( CURRENT -= behind ))\n"
	      "\t\t_normal\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tactions=(\n", out);
	for (size_t i = 0; (name = options_action(i, &action, &about)); i++) {
		fprintf(out, "\t\t'%s:", name);
		put_quoted(out, about, "");
		fputs("'\n", out);
	}
	fputs("\t)\n"
	      "\tif (( CURRENT > 2 )) && [[ $words[2] == (", out);
	put_action_names(out, "|");
	fputs(") ]]; then\n"
	      "\t\taction=$words[2]\n"
	      "\t\tshift words\n"
	      "\t\t(( CURRENT-- ))\n"
	      "\tfi\n"
	      "\tcase $action in\n", out);
	for (size_t i = 0; (name = action_at(i, &action)); i++) {
		fprintf(out, "\t%s) options=(\n", name);
		for (size_t n = 0; options_doc(n, &doc); n++)
			if (options_takes(action, n))
				put_zsh_option(out, n, &doc);
		fputs("\t) ;;\n", out);
	}
	fputs("\tesac\n"
	      "\tcase $action in\n"
	      "\t" CAPTURE ") (( CURRENT > 2 )) || _describe command actions ;;\n"
	      "\tcompletion) options+=(':shell:(", out);
	put_shells(out);
	fputs(")') ;;\n"
	      "\treport|diff) options+=('*:file:_files') ;;\n"
	      "\tesac\n"
	      "\t_arguments -s $options\n"
	      "}\n"
	      "if [[ $funcstack[1] == _allocsnoop ]]; then\n"
	      "\t_allocsnoop \"$@\"\n"
	      "else\n"
	      "\tcompdef _allocsnoop allocsnoop\n"
	      "fi\n", out);
}

static void put_fish_option(FILE *out, size_t option, const struct option_doc *doc)
{
	fputs("complete -c allocsnoop -n '__allocsnoop_in", out);
	put_takers(out, option);
	fputc('\'', out);
	if (doc->letter)
		fprintf(out, " -s %c", doc->letter);
	fprintf(out, " -l %s", doc->name);
	switch (value_kind(option, doc)) {
	case VALUE_WORD:
		fputs(" -x -a '", out);
		put_values(out, option);
		fputc('\'', out);
		break;
	case VALUE_LIST:
		fputs(" -x -a '(__allocsnoop_list ", out);
		put_values(out, option);
		fputs(")'", out);
		break;
	case VALUE_FILE:
		fputs(" -r -F", out);
		break;
	case VALUE_PIDS:
		fputs(" -x -a '(__fish_complete_pids)'", out);
		break;
	case VALUE_ANY:
		fputs(" -x", out);
		break;
	case VALUE_NONE:
		break;
	}
	fputs(" -d '", out);
	put_quoted(out, doc->help, "\\");
	fputs("'\n", out);
}

static void print_fish(FILE *out)
{
	const char *name, *about;
	struct option_doc doc;
	enum action action;

	fputs("# fish completion of allocsnoop, made by `allocsnoop completion fish`.\n"
	      "function __allocsnoop_in -d 'Is one of the arguments what this line does?'\n"
	      "\tset -l words (commandline -opc)\n"
	      "\tset -l action " CAPTURE "\n"
	      "\tcontains -- -- $words; and return 1\n"
	      "\tcontains -- \"$words[2]\" ", out);
	put_action_names(out, " ");
	fputs("; and set action $words[2]\n"
	      "\tcontains -- $action $argv\n"
	      "end\n"
	      "function __allocsnoop_behind -d 'Behind --'\n"
	      "\tcontains -- -- (commandline -opc)\n"
	      "end\n"
	      "function __allocsnoop_first -d 'No word yet'\n"
	      "\ttest (count (commandline -opc)) -eq 1\n"
	      "end\n"
	      "function __allocsnoop_list -d 'The words of a list with commas'\n"
	      "\tset -l head (string replace -r '^(--[^=]*=)?(.*,)?.*$' '$2' -- (commandline -ct))\n"
	      "\tstring join \\n -- $head$argv\n"
	      "end\n"
	      "complete -c allocsnoop -f\n"
	      "complete -c allocsnoop -n __allocsnoop_behind -F -a '(__fish_complete_command)'\n"
	      "complete -c allocsnoop -n '__allocsnoop_in report diff' -F\n"
	      "complete -c allocsnoop -n '__allocsnoop_in completion' -a '", out);
	put_shells(out);
	fputs("'\n", out);
	for (size_t i = 0; (name = options_action(i, &action, &about)); i++) {
		fprintf(out, "complete -c allocsnoop -n __allocsnoop_first -a %s -d '", name);
		put_quoted(out, about, "\\");
		fputs("'\n", out);
	}
	for (size_t i = 0; options_doc(i, &doc); i++)
		put_fish_option(out, i, &doc);
}

int completion_print(enum shell shell, FILE *out, struct err *err)
{
	static void (*const print[])(FILE *) = { [SHELL_BASH] = print_bash, [SHELL_ZSH] = print_zsh, [SHELL_FISH] = print_fish };

	print[shell](out);
	if (fflush(out) || ferror(out))
		return err_set(err, FAIL_GENERAL, -EIO, "cannot write the completions: %s", strerror(errno));
	return 0;
}
