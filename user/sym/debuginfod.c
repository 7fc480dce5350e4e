// SPDX-License-Identifier: GPL-2.0-or-later
#include "sym/debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libdebuginfod.so.1"
/* The library's own limits, where the user has set none: a report waits for this. */
#define MAX_SILENCE_S "20"
#define MAX_DOWNLOAD_S "120"

/* elfutils/debuginfod.h, which is in a package of its own that building would need for these lines. */
typedef struct debuginfod_client debuginfod_client;
typedef int progress_fn(debuginfod_client *client, long a, long b);

struct library {
	debuginfod_client *(*begin)(void);
	void (*end)(debuginfod_client *client);
	int (*find_debuginfo)(debuginfod_client *client, const unsigned char *build_id, int build_id_len, char **path);
	void (*set_progressfn)(debuginfod_client *client, progress_fn *fn);
};

struct debuginfod {
	const struct diag *diag;
	void *handle;
	struct library lib;
	debuginfod_client *client;
	bool gave_up;
};

/* Signals are taken by the loop of cmd/, which is not running now: they wait. */
static bool must_end(void)
{
	sigset_t pending;

	return !sigpending(&pending) && (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
					 sigismember(&pending, SIGHUP) == 1);
}

#ifdef ALLOCSNOOP_STATIC /* there is no loader in a static binary, or none that works elsewhere */
#define dlopen(file, mode) NULL
#define dlerror() "this allocsnoop is static"
#define dlsym(handle, name) NULL
#define dlclose(handle) ((void)0)
#endif

static const struct {
	const char *name;
	size_t place;
} functions[] = {
	{ "debuginfod_begin", offsetof(struct library, begin) },
	{ "debuginfod_end", offsetof(struct library, end) },
	{ "debuginfod_find_debuginfo", offsetof(struct library, find_debuginfo) },
	{ "debuginfod_set_progressfn", offsetof(struct library, set_progressfn) },
};

static int load(struct debuginfod *self, struct err *err)
{
	self->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!self->handle)
		return err_set(err, FAIL_GENERAL, -ENOENT,
			       "--debuginfod needs " LIBRARY " (Debian: libdebuginfod1): %s", dlerror());
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *fn = dlsym(self->handle, functions[i].name);

		if (!fn)
			return err_set(err, FAIL_GENERAL, -ENOENT, "--debuginfod: " LIBRARY " has no %s",
				       functions[i].name);
		memcpy((char *)&self->lib + functions[i].place, &fn, sizeof(fn));
	}
	return 0;
}

/* Called many times a second while servers are waited for, also without an answer; 0: go on. */
static int on_progress(debuginfod_client *client, long a, long b)
{
	(void)client;
	(void)a;
	(void)b;
	return must_end();
}

int debuginfod__new(const struct diag *diag, struct debuginfod **ret, struct err *err)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	struct debuginfod *self;
	int code;

	if (!urls || !urls[strspn(urls, " ")])
		return err_set(err, FAIL_USAGE, -EINVAL,
			       "--debuginfod: DEBUGINFOD_URLS names no server (sudo leaves it out: "
			       "sudo DEBUGINFOD_URLS=\"$DEBUGINFOD_URLS\" allocsnoop ...)");
	self = calloc(1, sizeof(*self));
	if (!self)
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	self->diag = diag;
	setenv("DEBUGINFOD_TIMEOUT", MAX_SILENCE_S, 0);
	setenv("DEBUGINFOD_MAXTIME", MAX_DOWNLOAD_S, 0);
	code = load(self, err);
	if (!code) {
		self->client = self->lib.begin();
		if (!self->client)
			code = err_set(err, FAIL_GENERAL, -ENOMEM, "--debuginfod: " LIBRARY " does not start");
	}
	if (code) {
		debuginfod__free(self);
		return code;
	}
	self->lib.set_progressfn(self->client, on_progress);
	*ret = self;
	return 0;
}

void debuginfod__free(struct debuginfod *self)
{
	if (!self)
		return;
	if (self->client)
		self->lib.end(self->client);
	if (self->handle)
		dlclose(self->handle);
	free(self);
}

int debuginfod__fetch(struct debuginfod *self, const uint8_t *build_id, size_t len, const char *what)
{
	char *path = NULL;
	int fd;

	if (!len || self->gave_up || must_end())
		return -ENOENT;
	diag_emit(self->diag, DIAG_INFO, "asking debuginfod for the debug file of %s", what);
	fd = self->lib.find_debuginfo(self->client, build_id, (int)len, &path);
	free(path);
	if (fd >= 0 || fd == -ENOENT)
		return fd;
	self->gave_up = true;
	if (!must_end())
		diag_emit(self->diag, DIAG_WARN, "debuginfod: %s; it is not asked any more", strerror(-fd));
	return fd;
}
