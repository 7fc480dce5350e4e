// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * operator new that fails: the exception passes the probed function. A tracer that has
 * replaced a return address on the stack ends this program here.
 *
 * throw [N [quiet]]: quiet allocates only (mimalloc's own operator new aborts the program where it should throw)
 */
#include <cstdio>
#include <cstdlib>
#include <new>

#define SITE __attribute__((noinline, noipa))

static volatile size_t too_much = (size_t)1 << 60;
static void *volatile sink;

static SITE int site_throws()
{
	try {
		sink = ::operator new(too_much);
	} catch (const std::bad_alloc &) {
		return 1;
	}
	return 0;
}

/* Called by the site: libstdc++ has no frame pointers, and its caller is lost without unwind tables. */
static SITE void make(size_t size)
{
	sink = ::operator new(size);
	::operator delete(sink);
	sink = ::operator new[](size, std::align_val_t(64));
	::operator delete[](sink, std::align_val_t(64));
	sink = ::operator new(size, std::nothrow);
	::operator delete(sink, std::nothrow);
}

static SITE void site_new(size_t size)
{
	make(size);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 100, caught = 0;

	for (int i = 0; i < n; i++) {
		caught += argc > 2 || site_throws();
		site_new(64 + i % 50 * 64); // libstdc++ rounds up to the alignment
	}
	printf("%d\n", caught);
	return 0;
}
