// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DWARF through libdw: functions, lines, inlined calls.
 *
 * Vocabulary: a unit is a compilation unit (its first DIE); a function is a
 * DW_TAG_subprogram with code; a chain is the list of DIEs around an address from the
 * function inwards through the DW_TAG_inlined_subroutine that hold it.
 *
 * Model: three lookups, each with an index that is made once.
 *   address -> unit       all units' ranges, sorted, made at open. Not .debug_aranges: clang and
 *                         rustc do not write it, and a program linked from several compilers has it in parts.
 *                         It serves only for units that do not say their ranges themselves.
 *   address -> function   the functions' ranges of one unit, made when an address first falls into the unit.
 *   address -> chain      a walk inside that function.
 * dwarf_getscopes() does all of the walk, but goes through the unit's whole tree for
 * every address, and by recursion as deep as the file says.
 *
 * The file is hostile:
 * - libdw is given a descriptor and ELF_C_READ, so it reads instead of mapping (SIGBUS).
 * - Siblings must lie behind each other, else a crafted DW_AT_sibling is an endless list.
 * - Depth, number of DIEs and the time spent on one module are bounded; a module that
 *   exceeds the time gets no more than its symbol table from then on.
 * - libdw hands out pointers into string sections without looking whether the last string ends: a file where
 *   one does not is refused.
 * - libdw takes about 20 times the bytes of a line program as memory: line programs
 *   have a budget for each module.
 * - libdw would open files that the DWARF names: split units (.dwo) are never asked
 *   for (so a program built with -gsplit-dwarf has lines, and names from its
 *   symbol table), and the dwz file is found by debugfile.c or the DWARF is not used at all.
 */
#include "sym/sym_backend.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/vec.h"

#define MAX_UNITS (1u << 20)
#define MAX_RANGES (1u << 24) /* of units, and of functions in one unit */
#define MAX_DEPTH 64 /* of DIEs below a unit or a function */
#define MAX_LOOK_BACK 64 /* ranges that may begin between an address and the begin of its own */
#define MAX_MODULE_NS (60ull * 1000000000)
#define MAX_LINE_PROGRAM_BYTES (32u << 20)
#define PROGRESS_BYTES (64u << 20) /* debug information from this size on is worth a message */

/* [lo, hi) belongs to item: index of a unit, or offset of a function's DIE. */
struct range {
	uint64_t lo, hi;
	uint64_t item;
};

struct ranges {
	struct range *items; /* ascending by lo once sorted */
	size_t len, cap;
};

struct unit {
	Dwarf_Off die_off;
	struct ranges funcs;
	bool funcs_made;
	bool lines_judged, lines_usable;
};

/* A file with DWARF, as libdw has it. */
struct dwarf_file {
	Elf *elf;
	Dwarf *dbg;
	char *image; /* what elf reads instead of the file (debugimage.c), or NULL */
};

struct sym_dwarf {
	struct sym_backend base;
	const struct elf_file *code; /* the module, not its debug file: that has no segments to ask */
	struct dwarf_file main, alt;
	struct elf_file *alt_file;
	const char *name; /* for messages */
	const struct diag *diag;
	struct unit *units;
	size_t nunits, units_cap;
	size_t nsplit; /* units whose functions are in .dwo files */
	struct ranges ranges; /* to units */
	uint64_t spent_ns; /* on this module */
	uint64_t started_ns; /* the present lookup */
	uint32_t ticks;
	bool gave_up;
	uint64_t line_bytes_left;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* Between two DIEs: may we go on? */
static bool in_time(struct sym_dwarf *self)
{
	if (self->gave_up)
		return false;
	if (++self->ticks % 256 || self->spent_ns + (now_ns() - self->started_ns) < MAX_MODULE_NS)
		return true;
	self->gave_up = true;
	diag_emit(self->diag, DIAG_WARN,
		  "%s: reading its debug information took over %llu s; names come from its symbol table from here on",
		  self->name, MAX_MODULE_NS / 1000000000ull);
	return false;
}

static int ranges__add(struct ranges *ranges, uint64_t lo, uint64_t hi, uint64_t item)
{
	if (ranges->len >= MAX_RANGES)
		return -E2BIG;
	if (vec_reserve((void **)&ranges->items, &ranges->cap, ranges->len + 1, sizeof(*ranges->items)))
		return -ENOMEM;
	ranges->items[ranges->len++] = (struct range){ lo, hi, item };
	return 0;
}

static int by_lo(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->hi > y->hi ? -1 : x->hi < y->hi; /* the inner one last, so that it is found first */
}

static void ranges__sort(struct ranges *ranges)
{
	if (ranges->len)
		qsort(ranges->items, ranges->len, sizeof(*ranges->items), by_lo);
}

/* The range with the highest start that holds @addr. */
static const struct range *ranges__find(const struct ranges *ranges, uint64_t addr)
{
	size_t lo = 0, hi = ranges->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ranges->items[mid].lo <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = lo; i > 0 && lo - i < MAX_LOOK_BACK; i--) {
		if (addr < ranges->items[i - 1].hi)
			return &ranges->items[i - 1];
	}
	return NULL;
}

/*
 * Enter the code ranges of @die. Functions that the linker dropped keep a DIE whose
 * addresses became 0 or small numbers: these lie in no code segment.
 */
static int collect_ranges(struct sym_dwarf *self, Dwarf_Die *die, uint64_t item, struct ranges *ret)
{
	Dwarf_Addr base, lo, hi;
	ptrdiff_t off = 0;
	int err;

	while (in_time(self) && (off = dwarf_ranges(die, off, &base, &lo, &hi)) > 0) {
		if (lo >= hi || !elf_file__is_code(self->code, lo))
			continue;
		err = ranges__add(ret, lo, hi, item);
		if (err)
			return err;
	}
	return 0;
}

/* Move @die to its next sibling; false at the end, or when the file leads us back. */
static bool next_sibling(Dwarf_Die *die)
{
	Dwarf_Off off = dwarf_dieoffset(die);

	return dwarf_siblingof(die, die) == 0 && dwarf_dieoffset(die) > off;
}

static int collect_functions(struct sym_dwarf *self, struct unit *unit, Dwarf_Die *parent, int depth)
{
	Dwarf_Die die;
	int err = 0;

	if (depth > MAX_DEPTH || dwarf_child(parent, &die) != 0)
		return 0;
	do {
		int tag = dwarf_tag(&die);

		if (!in_time(self))
			return -ETIME;
		if (tag == DW_TAG_subprogram)
			err = collect_ranges(self, &die, dwarf_dieoffset(&die), &unit->funcs);
		/* Functions nest in namespaces, types, functions and blocks, but not in inlined calls. */
		if (!err && tag != DW_TAG_inlined_subroutine && dwarf_haschildren(&die) > 0)
			err = collect_functions(self, unit, &die, depth + 1);
	} while (!err && next_sibling(&die));
	return err;
}

static int collect_units(struct sym_dwarf *self)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Half version;
	Dwarf_Die die;
	uint8_t type;

	/* The last argument would make libdw look for .dwo files. */
	while (in_time(self) && dwarf_get_units(self->main.dbg, cu, &cu, &version, &type, &die, NULL) == 0) {
		int tag = dwarf_tag(&die), err;

		if (tag != DW_TAG_compile_unit && tag != DW_TAG_skeleton_unit)
			continue;
		if (self->nunits >= MAX_UNITS)
			break;
		if (vec_reserve((void **)&self->units, &self->units_cap, self->nunits + 1, sizeof(*self->units)))
			return -ENOMEM;
		self->units[self->nunits] = (struct unit){ .die_off = dwarf_dieoffset(&die) };
		err = collect_ranges(self, &die, self->nunits, &self->ranges);
		self->nunits++;
		self->nsplit += type == DW_UT_skeleton;
		if (err)
			return err;
	}
	ranges__sort(&self->ranges);
	return 0;
}

/* For units without ranges of their own. */
static struct unit *find_unit_by_aranges(struct sym_dwarf *self, uint64_t vaddr)
{
	size_t lo = 0, hi = self->nunits;
	Dwarf_Off off;
	Dwarf_Die die;

	if (!dwarf_addrdie(self->main.dbg, vaddr, &die))
		return NULL;
	off = dwarf_dieoffset(&die);
	while (lo < hi) { /* units come in the order of their offsets */
		size_t mid = lo + (hi - lo) / 2;

		if (self->units[mid].die_off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < self->nunits && self->units[lo].die_off == off ? &self->units[lo] : NULL;
}

static struct unit *find_unit(struct sym_dwarf *self, uint64_t vaddr)
{
	const struct range *range = ranges__find(&self->ranges, vaddr);

	return range ? &self->units[range->item] : find_unit_by_aranges(self, vaddr);
}

/*
 * The next section after *@pos of that @name (without "." or ".z") that has contents, as libdw uses them:
 * decompressed by now. A crafted file may have several.
 */
static bool next_section(Elf *elf, const char *name, Elf_Scn **pos, struct span *ret)
{
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((*pos = elf_nextscn(elf, *pos))) {
		GElf_Shdr shdr;
		const char *have;
		Elf_Data *data;

		have = gelf_getshdr(*pos, &shdr) ? elf_strptr(elf, names, shdr.sh_name) : NULL;
		if (!have || *have != '.')
			continue;
		have += have[1] == 'z' ? 2 : 1;
		if (strcmp(have, name) != 0)
			continue;
		data = elf_getdata(*pos, NULL);
		if (!data || !data->d_buf || !data->d_size)
			continue;
		*ret = (struct span){ data->d_buf, data->d_size };
		return true;
	}
	return false;
}

/* Bytes of the line program at @off of .debug_line (DWARF 5, 6.2.4: its first field). */
static bool line_program_bytes(const struct sym_dwarf *self, uint64_t off, uint64_t *ret)
{
	Elf_Scn *pos = NULL;
	struct span bytes;
	uint32_t len;

	if (!next_section(self->main.elf, "debug_line", &pos, &bytes) || !span_u32(bytes, off, &len))
		return false;
	*ret = len;
	return len != UINT32_MAX || span_u64(bytes, off + 4, ret);
}

/* May libdw decode the lines of @unit? Decided once for each unit, within the module's budget. */
static bool lines_usable(struct sym_dwarf *self, struct unit *unit, Dwarf_Die *unit_die)
{
	Dwarf_Attribute attr;
	Dwarf_Word off;
	uint64_t bytes;

	if (unit->lines_judged)
		return unit->lines_usable;
	unit->lines_judged = true;
	if (!dwarf_attr(unit_die, DW_AT_stmt_list, &attr) || dwarf_formudata(&attr, &off) ||
	    !line_program_bytes(self, off, &bytes) || bytes > self->line_bytes_left)
		return false;
	self->line_bytes_left -= bytes;
	unit->lines_usable = true;
	return true;
}

struct position {
	const char *file; /* NULL: not known */
	uint32_t line;
};

static uint32_t line_number(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

static struct position position_at(struct sym_dwarf *self, struct unit *unit, Dwarf_Die *unit_die, uint64_t vaddr)
{
	struct position pos = { 0 };
	Dwarf_Line *line;
	int number;

	if (!lines_usable(self, unit, unit_die))
		return pos;
	line = dwarf_getsrc_die(unit_die, vaddr);
	if (!line)
		return pos;
	pos.file = dwarf_linesrc(line, NULL, NULL);
	if (dwarf_lineno(line, &number) == 0)
		pos.line = line_number(number);
	return pos;
}

/* Where the inlined call @die stands in the function around it. */
static struct position call_position(struct sym_dwarf *self, struct unit *unit, Dwarf_Die *unit_die, Dwarf_Die *die)
{
	struct position pos = { 0 };
	Dwarf_Attribute attr;
	Dwarf_Files *files;
	Dwarf_Word value;
	size_t nfiles;

	if (dwarf_attr(die, DW_AT_call_line, &attr) && dwarf_formudata(&attr, &value) == 0 && value <= INT32_MAX)
		pos.line = (uint32_t)value;
	if (dwarf_attr(die, DW_AT_call_file, &attr) && dwarf_formudata(&attr, &value) == 0 &&
	    lines_usable(self, unit, unit_die) && dwarf_getsrcfiles(unit_die, &files, &nfiles) == 0 && value < nfiles)
		pos.file = dwarf_filesrc(files, value, NULL, NULL);
	return pos;
}

/* The linkage name says more (parameters, namespaces); C functions have none. */
static const char *function_name(Dwarf_Die *die)
{
	Dwarf_Attribute attr;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr)) {
		const char *name = dwarf_formstring(&attr);

		if (name)
			return name;
	}
	return dwarf_diename(die);
}

static bool is_cxx(Dwarf_Die *unit_die)
{
	switch (dwarf_srclang(unit_die)) {
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
		return true;
	default:
		return false;
	}
}

struct chain {
	Dwarf_Die dies[SYM_MAX_FRAMES]; /* outermost first */
	int len;
};

/* Go on inwards from @parent with the child that holds @vaddr. */
static void walk_inwards(struct sym_dwarf *self, Dwarf_Die *parent, uint64_t vaddr, struct chain *chain, int depth)
{
	Dwarf_Die die;

	if (depth > MAX_DEPTH || dwarf_child(parent, &die) != 0)
		return;
	do {
		int tag = dwarf_tag(&die);

		if (!in_time(self))
			return;
		if ((tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block) || dwarf_haspc(&die, vaddr) <= 0)
			continue;
		if (tag == DW_TAG_inlined_subroutine && chain->len < SYM_MAX_FRAMES)
			chain->dies[chain->len++] = die;
		walk_inwards(self, &die, vaddr, chain, depth + 1);
		return;
	} while (next_sibling(&die));
}

static bool find_chain(struct sym_dwarf *self, struct unit *unit, Dwarf_Die *unit_die, uint64_t vaddr,
		       struct chain *ret)
{
	const struct range *range;

	if (!unit->funcs_made) {
		unit->funcs_made = true;
		collect_functions(self, unit, unit_die, 0); /* what it found before an error is as good */
		ranges__sort(&unit->funcs);
	}
	range = ranges__find(&unit->funcs, vaddr);
	if (!range || !dwarf_offdie(self->main.dbg, range->item, &ret->dies[0]))
		return false;
	ret->len = 1;
	walk_inwards(self, &ret->dies[0], vaddr, ret, 0);
	return true;
}

static bool resolve_in_unit(struct sym_dwarf *self, struct unit *unit, uint64_t vaddr, struct sym_sink *sink)
{
	struct chain chain = { .len = 0 };
	struct position pos;
	Dwarf_Die unit_die;

	if (!dwarf_offdie(self->main.dbg, unit->die_off, &unit_die))
		return false;
	pos = position_at(self, unit, &unit_die, vaddr);
	if (!find_chain(self, unit, &unit_die, vaddr, &chain)) {
		/* Assembly: lines, and the name from the symbol table. */
		if (!pos.file)
			return false;
		sym_sink__add(sink, NULL, pos.file, pos.line, false);
		return true;
	}
	for (int i = chain.len - 1; i >= 0; i--) {
		sym_sink__add(sink, function_name(&chain.dies[i]), pos.file, pos.line, i > 0);
		pos = call_position(self, unit, &unit_die, &chain.dies[i]);
	}
	sink->wants_mangled = !sink->last_was_mangled && is_cxx(&unit_die);
	return true;
}

static bool dwarf_resolve(struct sym_backend *backend, uint64_t vaddr, struct sym_sink *sink)
{
	struct sym_dwarf *self = (struct sym_dwarf *)backend;
	struct unit *unit;
	bool found = false;

	if (self->gave_up)
		return false;
	self->started_ns = now_ns();
	unit = find_unit(self, vaddr);
	if (unit)
		found = resolve_in_unit(self, unit, vaddr, sink);
	self->spent_ns += now_ns() - self->started_ns;
	return found;
}

static void dwarf_file__close(struct dwarf_file *file)
{
	if (file->dbg)
		dwarf_end(file->dbg);
	elf_end(file->elf);
	free(file->image);
}

static void dwarf_backend_free(struct sym_backend *backend)
{
	struct sym_dwarf *self = (struct sym_dwarf *)backend;

	for (size_t i = 0; i < self->nunits; i++)
		free(self->units[i].funcs.items);
	free(self->units);
	free(self->ranges.items);
	dwarf_file__close(&self->main);
	dwarf_file__close(&self->alt);
	elf_file__free(self->alt_file);
	free(self);
}

static const struct sym_backend_ops dwarf_ops = {
	.name = "dwarf",
	.resolve = dwarf_resolve,
	.free = dwarf_backend_free,
};

/* Does the last string of each string section end? */
static bool strings_end(Elf *elf)
{
	static const char *const names[] = { "debug_str", "debug_line_str" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		Elf_Scn *pos = NULL;
		struct span bytes;

		while (next_section(elf, names[i], &pos, &bytes)) {
			if (bytes.data[bytes.len - 1] != 0)
				return false;
		}
	}
	return true;
}

/* Is a section packed in a way that libelf may not know? */
static bool needs_image(Elf *elf)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr shdr;
		GElf_Chdr chdr;

		if (gelf_getshdr(scn, &shdr) && shdr.sh_flags & SHF_COMPRESSED && gelf_getchdr(scn, &chdr) &&
		    chdr.ch_type != ELFCOMPRESS_ZLIB)
			return true;
	}
	return false;
}

/* Let @ret->elf read an unpacked copy of @file instead. */
static int use_image(struct dwarf_file *ret, struct elf_file *file)
{
	GElf_Ehdr ehdr;
	size_t len;
	int err;

	if (!gelf_getehdr(ret->elf, &ehdr))
		return -ENOEXEC;
	err = debugimage_make(file, ehdr.e_machine, &ret->image, &len);
	if (err)
		return err;
	elf_end(ret->elf);
	ret->elf = elf_memory(ret->image, len);
	return ret->elf ? 0 : -ENOEXEC;
}

/* What it leaves in @ret on failure dwarf_file__close() takes, too. */
static int dwarf_file__open(struct elf_file *file, struct dwarf_file *ret)
{
	int err;

	ret->elf = elf_begin(elf_file__fd(file), ELF_C_READ, NULL);
	if (!ret->elf)
		return -ENOEXEC;
	err = needs_image(ret->elf) ? use_image(ret, file) : 0;
	if (err)
		return err;
	ret->dbg = dwarf_begin_elf(ret->elf, DWARF_C_READ, NULL);
	if (!ret->dbg)
		return -ENOENT;
	return strings_end(ret->elf) ? 0 : -ENOEXEC;
}

/* Without the shared file half of the names would be missing, and libdw would look for it on its own. */
static int begin_alt(struct sym_dwarf *self, const struct sym_source *src, struct elf_file *file)
{
	int err;

	err = debugfile_find_alt(src, file, &self->alt_file);
	if (err) {
		diag_emit(src->diag, DIAG_INFO,
			  "%s: its debug information shares parts with a dwz file that is not installed; no lines for it",
			  self->name);
		return err;
	}
	if (!self->alt_file)
		return 0;
	err = dwarf_file__open(self->alt_file, &self->alt);
	if (!err)
		dwarf_setalt(self->main.dbg, self->alt.dbg);
	return err;
}

int sym_dwarf__open(struct sym_source *src, struct sym_backend **ret)
{
	struct elf_file *file = src->mod->elf;
	struct sym_dwarf *self;
	int err;

	if (!file)
		return -ENOENT;
	if (!sym_has_dwarf(file))
		file = sym_source__debug(src);
	if (!file || !sym_has_dwarf(file))
		return -ENOENT;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->base.ops = &dwarf_ops;
	self->code = src->mod->elf;
	self->name = src->mod->name;
	self->diag = src->diag;
	self->line_bytes_left = MAX_LINE_PROGRAM_BYTES;
	if (elf_file__size(file) >= PROGRESS_BYTES)
		diag_emit(src->diag, DIAG_INFO, "reading the debug information of %s (%llu MiB)", self->name,
			  (unsigned long long)elf_file__size(file) >> 20);
	elf_version(EV_CURRENT);
	err = dwarf_file__open(file, &self->main);
	if (!err)
		err = begin_alt(self, src, file);
	if (!err) {
		self->started_ns = now_ns();
		err = collect_units(self);
		self->spent_ns = now_ns() - self->started_ns;
	}
	if (err) {
		dwarf_backend_free(&self->base);
		return err;
	}
	if (self->nsplit)
		diag_emit(src->diag, DIAG_INFO,
			  "%s: %zu of its %zu compilation units keep their functions in .dwo files, which are not read: "
			  "names come from its symbol table, without inlined frames", self->name, self->nsplit,
			  self->nunits);
	*ret = &self->base;
	return 0;
}
