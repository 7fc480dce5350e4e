// SPDX-License-Identifier: GPL-2.0-or-later
/* dlopen LIBRARY N: loads it after "go" and lets its plugin_work() allocate N times 72 bytes. */
#include <dlfcn.h>

#include "ledger.h"

int main(int argc, char **argv)
{
	struct site site = { "plugin_work", "malloc", 0, 0, 0, 0 };
	int n = argc > 2 ? atoi(argv[2]) : 1000;
	void (*plugin_work)(int);
	void *lib;

	if (argc < 2)
		return 2;
	say_ready();
	await_line();
	lib = dlopen(argv[1], RTLD_NOW);
	*(void **)&plugin_work = lib ? dlsym(lib, "plugin_work") : NULL;
	if (!plugin_work)
		return 3;
	plugin_work(n);
	say("done\n");
	await_line();
	site.objects = site.free_objects = n;
	site.requested_bytes = 72ull * n;
	print_sites(&site, 1);
	return 0;
}
