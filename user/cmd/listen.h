/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page over HTTP, for as long as a capture runs: GET /metrics. It lives in the one loop of the program and must never
 * hold it up, whoever calls. So nothing blocks, and everything is bounded:
 *
 * - at most LISTEN_MAX_CLIENTS connections; another one takes the place of the oldest;
 * - a request has LISTEN_MAX_REQUEST bytes, and is answered and over: no second one in a connection, no body;
 * - a connection is closed LISTEN_TIMEOUT_MS after it began, whether anything was read or not;
 * - a step does a bounded number of things, whatever waits;
 * - the page is made by the loop, not by the client: at most once in LISTEN_PAGE_MS, and not so often that making it takes more
 *   than a twentieth of the time, but LISTEN_OLD_PAGE_MS old at most (listen__wants_page()). Whoever asks more often gets
 *   the same page.
 *
 * Only numbers go out, no secret of the target but names of its functions; the default address is the loopback, and nobody is
 * asked who he is.
 */
#ifndef ALLOCSNOOP_CMD_LISTEN_H
#define ALLOCSNOOP_CMD_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LISTEN_MAX_CLIENTS 16
#define LISTEN_MAX_REQUEST 4096
#define LISTEN_TIMEOUT_MS 5000
#define LISTEN_PAGE_MS 500
#define LISTEN_OLD_PAGE_MS 3000

/* "9464", "127.0.0.1:9464", "[::1]:9464", ":9464" (any address). 0 or -EINVAL. Pure. */
struct listen_addr {
	char host[64]; /* numeric; "" is any */
	uint16_t port; /* 0: any that is free */
};
int listen_parse(const char *text, struct listen_addr *ret);

/* What a request is answered with; 0: it is not whole yet. Pure. */
int listen_status(const char *request, size_t len, bool *ret_head_only);

struct listen;

/* Listens; says where to standard error, as a port may have been picked. */
int listen__open(const struct listen_addr *addr, struct listen **ret, struct err *err);
void listen__free(struct listen *l);

/* To be polled for reading. */
int listen__fd(const struct listen *l);
/* Accepts, reads, writes, closes: what can be done at once. */
void listen__step(struct listen *l, uint64_t now_ns);
/* Does a client wait for a page that is newer than the one there is? */
bool listen__wants_page(const struct listen *l, uint64_t now_ns);
/* The page from now on; takes @text over (malloc). @made_ns: how long it took. */
void listen__set_page(struct listen *l, char *text, size_t len, uint64_t now_ns, uint64_t made_ns);

#endif
