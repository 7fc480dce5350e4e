/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles to Pyroscope over HTTP, while a capture runs. Source: Pyroscope's server HTTP API, POST /ingest with
 * name, from, until, format=pprof, and a multipart form of the fields profile and sample_type_config.
 *
 * The loop only hands a profile over. A thread of its own finds the host, connects, writes and reads, each with a time limit,
 * PUSH_TRIES times at the most; PUSH_QUEUE profiles wait for it, and one more takes the place of the oldest. What was not
 * taken by the server is counted, and why is kept for the loop to say, once.
 */
#ifndef ALLOCSNOOP_CMD_PUSH_H
#define ALLOCSNOOP_CMD_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUSH_QUEUE 8
#define PUSH_TRIES 3
#define PUSH_TIMEOUT_S 5 /* of a connect, a write, a read, and of what still waits at the end */

/* "http://HOST[:PORT][/PATH]", port 80 if not given. 0 or -EINVAL. Pure. */
struct push_url {
	char host[256]; /* a name or an address */
	char port[8];
	char path[256]; /* without /ingest; "" or "/..." */
};
int push_parse(const char *text, struct push_url *ret);

/* The status of an HTTP answer, 0 if it is none. Pure. */
int push_status(const char *answer);

struct push;

/* 0 or -errno. */
int push__open(const struct push_url *url, struct push **ret);
/* Waits for what is still to be sent, PUSH_TIMEOUT_S at the most; what was not sent then has failed. Nothing may be sent behind it. */
void push__finish(struct push *p);
void push__free(struct push *p);

/* Takes @pprof over (malloc). @name: untrusted, what it is not fit for is replaced. Never waits. */
void push__send(struct push *p, const char *name, uint64_t from_ns, uint64_t until_ns, char *pprof, size_t len);

/* How many were not sent so far. @ret_why (of 256 bytes): of the first, and only once; else "". */
uint64_t push__failed(struct push *p, char *ret_why);

#endif
