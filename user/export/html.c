// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One HTML file that shows a profile or a difference by itself: the page (html/README.md) with the data in it as JSON.
 *
 * { "format": 1, "kind": "profile", "top": 10, "metric": "alloc_bytes",
 *   "about": the JSON document without its stacks or rows, "loss_texts": { name: text }, "gc_marks_s": null,
 *   "metrics": [ "alloc_bytes", ... ], those that were measured,
 *   "strings": [ "", "main.main", ... ],
 *   "nodes": { "parent": [], "name": [] }, "sites": { "name": [], "file": [], "line": [] },
 *   "rows": { "node": [], "source": [], "type": [], "site": [], "values": { metric: [] }, "before": { metric: [] } } }
 *
 * Stacks are a tree of functions, outermost first; a node stands behind its parent, 0 is the root. A row has the
 * node of its innermost function, so 50,000 stacks that share most of their frames are one list of numbers each. What
 * a subtree adds up to is the page's to know, as it shows one metric at a time. A site is the frame to blame.
 *
 * - Values are what folded has (metric_value()); of a difference what json has: counters per second where that is known, states as they are.
 *   RSS is signed; the page draws what grew and lists what shrank.
 * - In names, what no reader can see is '?' (names_add()); of other strings the page takes care (it knows no HTML
 *   either: text only). '<' is escaped everywhere, so nothing in the data ends the script that it stands in.
 * - gc_marks_s are the ends of garbage collections, in seconds since the start: none are recorded yet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"
#include "export/formats.h"
#include "export/html_page.h"
#include "profile/frames.h"

struct node {
	uint32_t parent, name;
};

struct site {
	uint32_t name, file, line;
};

struct html_row {
	uint32_t row; /* of the profile */
	uint32_t node, site; /* site PROF_NONE: of a stack without frames */
	uint32_t type;
};

struct tree {
	const struct profile *prof;
	bool has_processes; /* the first level */
	struct names names;
	struct hmap *nodes; /* struct node to index */
	struct hmap *sites;
	struct html_row *rows;
	size_t nrows, cap_rows;
};

/* What is different of one profile and of two: what a row is worth. */
struct worth {
	const struct profile *prof;
	const struct diff *diff; /* NULL: of one */
	enum window window;
	bool measured[METRIC__N];
};

_Static_assert((int)METRIC_RSS_BYTES == (int)DIFF_RSS_BYTES && (int)METRIC__N == (int)DIFF_METRIC__N, "one list of metrics");

static bool is_measured(const struct worth *w, enum metric metric, enum source source)
{
	bool is_live = metric == METRIC_LIVE_BYTES || metric == METRIC_LIVE_OBJECTS;

	if (!metric_has_source(w->prof, metric, source))
		return false;
	if (w->diff)
		return diff__has(w->diff, source, (enum diff_metric)metric);
	return w->prof->has_source[source] && (!is_live || w->prof->live[source].measured);
}

static void find_measured(struct worth *w)
{
	for (int m = 0; m < METRIC__N; m++)
		for (int s = 0; s < SOURCE__N; s++)
			w->measured[m] |= is_measured(w, (enum metric)m, (enum source)s);
}

static double value_of(const struct worth *w, uint32_t row, enum metric metric, bool before)
{
	const enum source source = w->prof->rows[row].source;
	struct prof_counts counts;
	struct change change;

	if (!is_measured(w, metric, source))
		return 0;
	if (w->diff) {
		change = diff__has_rates(w->diff) ? diff__row(w->diff, row, (enum diff_metric)metric) :
						   diff__row_amount(w->diff, row, (enum diff_metric)metric);
		return before ? change.before : change.after;
	}
	counts = prof_row_counts(&w->prof->rows[row], w->window);
	return (double)metric_value(w->prof, source, &counts, metric);
}

static bool has_any(const struct worth *w, uint32_t row)
{
	for (int m = 0; m < METRIC__N; m++)
		if (value_of(w, row, (enum metric)m, false) != 0 || (w->diff && value_of(w, row, (enum metric)m, true) != 0))
			return true;
	return false;
}

/* The child of @parent that is called so; HMAP_NONE when memory is out. */
static uint32_t child(struct tree *t, uint32_t parent, const char *name)
{
	struct node node = { parent, names_add(&t->names, name, 0, 0) };

	return t->names.err || parent == HMAP_NONE ? HMAP_NONE : hmap__add(t->nodes, &node, NULL);
}

static uint32_t add_site(struct tree *t, uint32_t stack)
{
	struct frame_view view;
	struct site site;

	if (!stack_blame(t->prof, stack, &view))
		return PROF_NONE;
	site.name = names_add(&t->names, view.func, 0, 0);
	site.file = names_add(&t->names, view.file, 0, 0);
	site.line = view.line;
	return hmap__add(t->sites, &site, NULL);
}

static uint32_t add_stack(struct tree *t, uint32_t pid, uint32_t index)
{
	const struct prof_stack *stack = &t->prof->stacks[index];
	struct frame_view view;
	uint32_t node = 0;
	char buf[FRAME_LABEL_SIZE];

	if (t->has_processes)
		node = child(t, node, process_name(t->prof, pid, buf));
	if (!stack->nlocs)
		return child(t, node, LOST_STACK_NAME);
	for (uint32_t i = stack->nlocs; i--;) {
		uint32_t loc = t->prof->stack_locs[stack->first + i];

		for (uint32_t n = prof_loc_nframes(t->prof, loc); n--;) {
			prof_loc_frame(t->prof, loc, n, &view);
			node = child(t, node, frame_label(&view, buf));
		}
	}
	return node;
}

static int add_row(struct tree *t, uint32_t index)
{
	const struct prof_row *row = &t->prof->rows[index];
	struct html_row *r;

	if (vec_reserve((void **)&t->rows, &t->cap_rows, t->nrows + 1, sizeof(*t->rows)))
		return -ENOMEM;
	r = &t->rows[t->nrows++];
	r->row = index;
	r->node = add_stack(t, row->pid, row->stack);
	r->site = add_site(t, row->stack);
	r->type = row->type ? names_add(&t->names, strtab__get(t->prof->strs, row->type), 0, 0) : 0;
	return r->node == HMAP_NONE ? -ENOMEM : t->names.err;
}

static int tree_build(struct tree *t, const struct worth *w)
{
	const struct node root = { 0 };
	int err = names_init(&t->names);

	if (!err)
		err = hmap__new(sizeof(struct node), &t->nodes);
	if (!err)
		err = hmap__new(sizeof(struct site), &t->sites);
	if (!err && hmap__add(t->nodes, &root, NULL) == HMAP_NONE)
		err = -ENOMEM;
	for (uint32_t i = 0; i < t->prof->nrows && !err; i++)
		if (has_any(w, i))
			err = add_row(t, i);
	return err;
}

static void tree_free(struct tree *t)
{
	names_free(&t->names);
	hmap__free(t->nodes);
	hmap__free(t->sites);
	free(t->rows);
}

static void put_strings(struct jsonw *w, const struct tree *t)
{
	jsonw_array(w, "strings");
	for (uint32_t i = 0; i < strtab__len(t->names.strs); i++)
		jsonw_str(w, NULL, strtab__get(t->names.strs, i));
	jsonw_end_array(w);
}

/* A column of a table of records that are nothing but uint32_t. */
static void put_column(struct jsonw *w, const char *key, const struct hmap *records, size_t column)
{
	jsonw_array(w, key);
	for (uint32_t i = 0; i < hmap__len(records); i++)
		jsonw_u64(w, NULL, ((const uint32_t *)hmap__key(records, i))[column]);
	jsonw_end_array(w);
}

static void put_tree(struct jsonw *w, const struct tree *t)
{
	jsonw_object(w, "nodes");
	put_column(w, "parent", t->nodes, 0);
	put_column(w, "name", t->nodes, 1);
	jsonw_end_object(w);
	jsonw_object(w, "sites");
	put_column(w, "name", t->sites, 0);
	put_column(w, "file", t->sites, 1);
	put_column(w, "line", t->sites, 2);
	jsonw_end_object(w);
}

static void put_values(struct jsonw *w, const char *key, const struct tree *t, const struct worth *worth, bool before)
{
	jsonw_object(w, key);
	for (int m = 0; m < METRIC__N; m++) {
		if (!worth->measured[m])
			continue;
		jsonw_array(w, diff_metric_name((enum diff_metric)m));
		for (size_t i = 0; i < t->nrows; i++)
			jsonw_double(w, NULL, value_of(worth, t->rows[i].row, (enum metric)m, before), worth->diff ? 3 : 0);
		jsonw_end_array(w);
	}
	jsonw_end_object(w);
}

static void put_rows(struct jsonw *w, const struct tree *t, const struct worth *worth)
{
	jsonw_object(w, "rows");
	jsonw_array(w, "node");
	for (size_t i = 0; i < t->nrows; i++)
		jsonw_u64(w, NULL, t->rows[i].node);
	jsonw_end_array(w);
	jsonw_array(w, "source");
	for (size_t i = 0; i < t->nrows; i++)
		jsonw_str(w, NULL, source_name(t->prof->rows[t->rows[i].row].source));
	jsonw_end_array(w);
	jsonw_array(w, "type");
	for (size_t i = 0; i < t->nrows; i++)
		jsonw_u64(w, NULL, t->rows[i].type);
	jsonw_end_array(w);
	jsonw_array(w, "site");
	for (size_t i = 0; i < t->nrows; i++) {
		if (t->rows[i].site == PROF_NONE)
			jsonw_null(w, NULL);
		else
			jsonw_u64(w, NULL, t->rows[i].site);
	}
	jsonw_end_array(w);
	put_values(w, "values", t, worth, false);
	if (worth->diff)
		put_values(w, "before", t, worth, true);
	jsonw_end_object(w);
}

static void put_loss_texts(struct jsonw *w, const struct profile *prof)
{
	jsonw_object(w, "loss_texts");
	for (uint32_t i = 0; i < prof->nlosses; i++)
		jsonw_str(w, prof->losses[i].name, prof->losses[i].text);
	jsonw_end_object(w);
}

static void put_data(struct jsonw *w, const struct tree *t, const struct worth *worth, const struct export_opts *opts,
		     const struct diff_opts *diff_opts)
{
	jsonw_object(w, NULL);
	jsonw_u64(w, "format", 1);
	jsonw_str(w, "kind", worth->diff ? "diff" : "profile");
	jsonw_u64(w, "top", opts->top);
	jsonw_str(w, "metric", diff_metric_name((enum diff_metric)opts->metric));
	if (worth->diff)
		json_diff_put_about(w, "about", worth->diff, diff_opts);
	else
		json_put_about(w, "about", t->prof, opts);
	put_loss_texts(w, t->prof);
	jsonw_null(w, "gc_marks_s");
	jsonw_array(w, "metrics");
	for (int m = 0; m < METRIC__N; m++)
		if (worth->measured[m])
			jsonw_str(w, NULL, diff_metric_name((enum diff_metric)m));
	jsonw_end_array(w);
	put_strings(w, t);
	put_tree(w, t);
	put_rows(w, t, worth);
	jsonw_end_object(w);
}

const char *html_why_not(void)
{
	size_t len;

	html_page(&len);
	return len ? NULL : "this allocsnoop was built without npm, which the HTML page is made with: install npm and build again";
}

static int write_page(const struct worth *worth, const struct export_opts *opts, const struct diff_opts *diff_opts, FILE *out)
{
	struct tree tree = { .prof = worth->prof, .has_processes = !worth->diff };
	struct jsonw w;
	size_t len;
	const char *page = html_page(&len), *mark = memmem(page, len, HTML_PAGE_MARK, strlen(HTML_PAGE_MARK));
	int err = mark ? tree_build(&tree, worth) : -ENOTSUP;

	if (!err) {
		fwrite(page, 1, (size_t)(mark - page), out);
		jsonw_init(&w, out);
		w.in_html = true;
		put_data(&w, &tree, worth, opts, diff_opts);
		mark += strlen(HTML_PAGE_MARK);
		fwrite(mark, 1, (size_t)(page + len - mark), out);
	}
	tree_free(&tree);
	return err;
}

int html_write(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	struct worth worth = { .prof = prof, .window = opts->window };

	find_measured(&worth);
	return write_page(&worth, opts, NULL, out);
}

int html_diff_write(const struct diff *diff, const struct diff_opts *opts, FILE *out)
{
	struct worth worth = { .prof = diff->prof, .diff = diff, .window = WINDOW_ALL };

	find_measured(&worth);
	return write_page(&worth, &opts->export, opts, out);
}
