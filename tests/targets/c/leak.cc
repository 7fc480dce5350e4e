// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Leaks from a few places of C++ code, beside what is given back: for comparison
 * with heaptrack. Deterministic, says nothing, ends by itself.
 */
#include <memory>
#include <string>
#include <vector>

#include <cstdlib>
#include <cstring>

#define SITE __attribute__((noinline, noipa))

struct node {
	node *next;
	std::string text;
};

static node *list;
static void *volatile sink;

static SITE void leak_nodes(int n)
{
	for (int i = 0; i < n; i++)
		list = new node{ list, std::string(20 + i % 30, 'x') };
}

static SITE void leak_array(int n)
{
	for (int i = 0; i < n; i++)
		sink = new int[100 + i];
}

static SITE void leak_realloc(int n)
{
	for (int i = 0; i < n; i++)
		sink = realloc(malloc(10), 1000 + i);
}

static SITE void leak_strdup(int n)
{
	for (int i = 0; i < n; i++)
		sink = strdup("a leak of thirty-two characters!");
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
	leak_strdup(70);
	no_leak(500);
	sink = nullptr;
	return 0;
}
