// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Functions whose names are mangled. fill() calls malloc itself; arrays() goes
 * through libstdc++, whose operator new[] jumps to operator new.
 */
#include <cstdlib>

extern "C" {
#include "ledger.h"
}

namespace shop {

struct order {
	long id;
	char text[40];
};

static void *volatile sink;

template <typename T> class depot {
public:
	__attribute__((noinline)) void fill(int n)
	{
		for (int i = 0; i < n; i++) {
			sink = std::malloc(sizeof(T));
			std::free(sink);
		}
	}
};

__attribute__((noinline)) void arrays(int n)
{
	for (int i = 0; i < n; i++) {
		char *p = new char[100 + i % 10];
		sink = p;
		delete[] p;
	}
}

}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000;
	site sites[2] = { { "shop::depot<shop::order>::fill(int)", "malloc", 0, 0, 0, 0 },
			  { "shop::arrays(int)", "operator new(unsigned long)", 0, 0, 0, 0 } };
	shop::depot<shop::order> depot;

	say_ready();
	await_line();
	depot.fill(n);
	shop::arrays(n);
	say("done\n");
	await_line();
	sites[0].objects = sites[0].free_objects = sites[1].objects = sites[1].free_objects = n;
	sites[0].requested_bytes = n * sizeof(shop::order);
	for (int i = 0; i < n; i++)
		sites[1].requested_bytes += 100 + i % 10;
	print_sites(sites, 2);
	return 0;
}
