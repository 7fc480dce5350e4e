// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Leaks from a few places of C++ code, beside what is given back: for comparison
 * with heaptrack. Deterministic, says nothing, ends by itself.
 */
#include <memory>
#include <string>
#include <vector>

#include <cstdlib>

#define SITE __attribute__((noinline, noipa))

struct node {
	node *next;
	char *text;
};

static node *list;
static void *volatile sink;

/* Each leak has a function between it and the library, whose code may have no frame pointers: it would hide its caller. */
static SITE void make_node(int i)
{
	list = new node{ list, nullptr };
	list->text = new char[20 + i % 30];
}

static SITE void make_array(int i)
{
	sink = new int[100 + i];
}

static SITE void make_block(int i)
{
	sink = realloc(malloc(10), 1000 + i);
}

static SITE void make_zeroes()
{
	sink = calloc(3, 33);
}

static SITE void leak_nodes(int n)
{
	for (int i = 0; i < n; i++)
		make_node(i);
}

static SITE void leak_array(int n)
{
	for (int i = 0; i < n; i++)
		make_array(i);
}

static SITE void leak_realloc(int n)
{
	for (int i = 0; i < n; i++)
		make_block(i);
}

static SITE void leak_calloc(int n)
{
	for (int i = 0; i < n; i++)
		make_zeroes();
}

static SITE void no_leak(int n)
{
	std::vector<std::unique_ptr<std::string>> all;

	for (int i = 0; i < n; i++)
		all.push_back(std::make_unique<std::string>(100 + i, 'y'));
}

int main()
{
	leak_nodes(300);
	leak_array(50);
	leak_realloc(40);
	leak_calloc(70);
	no_leak(500);
	sink = nullptr;
	return 0;
}
