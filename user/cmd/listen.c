// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/args.h"

#define EVENTS_A_STEP (2 * LISTEN_MAX_CLIENTS)

struct client {
	int fd; /* -1: nobody */
	uint64_t since_ns;
	char request[LISTEN_MAX_REQUEST];
	size_t len;
	bool waits; /* for the page */
	bool head_only;
	char *answer; /* owned; NULL: none yet */
	size_t answer_len, sent;
};

struct listen {
	int fd, epoll_fd;
	struct client clients[LISTEN_MAX_CLIENTS];
	char *page; /* NULL: none was made */
	size_t page_len;
	uint64_t next_page_ns;
};

int listen_parse(const char *text, struct listen_addr *ret)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint64_t port;
	struct in6_addr any;
	struct listen_addr addr = { .host = "127.0.0.1" };

	if (args_u64(colon ? colon + 1 : text, 0, 65535, &port))
		return -EINVAL;
	addr.port = (uint16_t)port;
	if (colon) {
		if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
			text++;
			len -= 2;
		}
		if (len >= sizeof(addr.host))
			return -EINVAL;
		memcpy(addr.host, text, len);
		addr.host[len] = 0;
		if (strcmp(addr.host, "localhost") == 0)
			strcpy(addr.host, "127.0.0.1");
		if (len && inet_pton(AF_INET, addr.host, &any) != 1 && inet_pton(AF_INET6, addr.host, &any) != 1)
			return -EINVAL;
	}
	*ret = addr;
	return 0;
}

int listen_status(const char *request, size_t len, bool *ret_head_only)
{
	static const char *const paths[] = { "/metrics", "/" };
	const char *space = memchr(request, ' ', len), *path, *end;
	bool is_get = len >= 4 && memcmp(request, "GET ", 4) == 0, is_head = len >= 5 && memcmp(request, "HEAD ", 5) == 0;

	*ret_head_only = is_head;
	/* A name that begins so may go on. */
	if (!is_get && !is_head && (space || len >= 8))
		return memchr(request, '\n', len) || len >= LISTEN_MAX_REQUEST ? (space ? 405 : 400) : len >= 64 ? 400 : 0;
	if (!memmem(request, len, "\r\n\r\n", 4) && !memmem(request, len, "\n\n", 2))
		return len >= LISTEN_MAX_REQUEST ? 431 : 0;
	if (!is_get && !is_head)
		return 400;
	path = space + 1;
	end = memchr(request, '\n', len);
	len = 0;
	while (path + len < end && path[len] != ' ' && path[len] != '?' && path[len] != '\r')
		len++;
	for (size_t i = 0; i < 2; i++)
		if (strlen(paths[i]) == len && memcmp(paths[i], path, len) == 0)
			return 200;
	return 404;
}

static void drop(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->answer);
	memset(c, 0, offsetof(struct client, request));
	c->fd = -1;
	c->len = c->answer_len = c->sent = 0;
	c->waits = c->head_only = false;
	c->answer = NULL;
}

void listen__free(struct listen *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < LISTEN_MAX_CLIENTS; i++)
		drop(&l->clients[i]);
	if (l->fd >= 0)
		close(l->fd);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	free(l->page);
	free(l);
}

static int bind_to(struct listen *l, const struct listen_addr *addr)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	socklen_t len = sizeof(*in6);
	int on = 1, off = 0;

	if (inet_pton(AF_INET, addr->host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(addr->port);
		len = sizeof(*in);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(addr->port);
		if (*addr->host && inet_pton(AF_INET6, addr->host, &in6->sin6_addr) != 1)
			return -EINVAL;
	}
	l->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ss.ss_family == AF_INET6)
		setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(l->fd, (struct sockaddr *)&ss, len) || listen(l->fd, LISTEN_MAX_CLIENTS))
		return -errno;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0 || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->fd, &event))
		return -errno;
	return 0;
}

static void say_where(const struct listen *l)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[64], port[8];

	if (getsockname(l->fd, (struct sockaddr *)&ss, &len) ||
	    getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	fprintf(stderr, ss.ss_family == AF_INET6 ? "allocsnoop: metrics on http://[%s]:%s/metrics\n" :
						   "allocsnoop: metrics on http://%s:%s/metrics\n", host, port);
	fflush(stderr);
}

int listen__open(const struct listen_addr *addr, struct listen **ret, struct err *err)
{
	struct listen *l = calloc(1, sizeof(*l));
	int code;

	if (!l)
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	l->fd = l->epoll_fd = -1;
	for (size_t i = 0; i < LISTEN_MAX_CLIENTS; i++)
		l->clients[i].fd = -1;
	code = bind_to(l, addr);
	if (code) {
		listen__free(l);
		return err_set(err, FAIL_GENERAL, code, "cannot listen on %s port %u: %s", *addr->host ? addr->host : "any address",
			       addr->port, strerror(-code));
	}
	say_where(l);
	*ret = l;
	return 0;
}

int listen__fd(const struct listen *l)
{
	return l->epoll_fd;
}

static void accept_one(struct listen *l, uint64_t now_ns)
{
	struct client *place = &l->clients[0];
	struct epoll_event event = { .events = EPOLLIN };
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (size_t i = 0; i < LISTEN_MAX_CLIENTS && place->fd >= 0; i++)
		if (l->clients[i].fd < 0 || l->clients[i].since_ns < place->since_ns)
			place = &l->clients[i];
	drop(place);
	place->fd = fd;
	place->since_ns = now_ns;
	event.data.ptr = place;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		drop(place);
}

/* What a socket takes at once; the rest when there is room. */
static void send_some(struct listen *l, struct client *c)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = c };
	ssize_t n = send(c->fd, c->answer + c->sent, c->answer_len - c->sent, MSG_NOSIGNAL);

	if (n > 0)
		c->sent += (size_t)n;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || c->sent == c->answer_len) {
		shutdown(c->fd, SHUT_WR);
		drop(c);
	} else {
		epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
	}
}

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Bad Request";
	}
}

static void answer(struct listen *l, struct client *c, int status, const char *body, size_t body_len)
{
	char head[256];
	size_t len;

	len = (size_t)snprintf(head, sizeof(head),
			       "HTTP/1.1 %d %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %zu\r\n"
			       "%sConnection: close\r\n\r\n",
			       status, reason(status), body_len, status == 405 ? "Allow: GET, HEAD\r\n" : "");
	c->waits = false;
	c->answer = malloc(len + body_len);
	if (!c->answer) {
		drop(c);
		return;
	}
	memcpy(c->answer, head, len);
	c->answer_len = len;
	if (!c->head_only && body_len) {
		memcpy(c->answer + len, body, body_len);
		c->answer_len += body_len;
	}
	send_some(l, c);
}

static void receive(struct listen *l, struct client *c)
{
	struct epoll_event event = { .events = 0, .data.ptr = c }; /* what else it says is not read */
	ssize_t n = recv(c->fd, c->request + c->len, sizeof(c->request) - c->len, 0);
	int status;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			drop(c);
		return;
	}
	c->len += (size_t)n;
	status = listen_status(c->request, c->len, &c->head_only);
	if (!status)
		return;
	if (status == 200) {
		c->waits = true;
		epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
	} else {
		answer(l, c, status, reason(status), strlen(reason(status)));
	}
}

static bool is_fresh(const struct listen *l, uint64_t now_ns)
{
	return l->page && now_ns < l->next_page_ns;
}

void listen__step(struct listen *l, uint64_t now_ns)
{
	struct epoll_event events[EVENTS_A_STEP];
	int n = epoll_wait(l->epoll_fd, events, EVENTS_A_STEP, 0);

	for (int i = 0; i < n; i++) {
		struct client *c = events[i].data.ptr;

		if (c && c->fd >= 0 && events[i].events & (EPOLLHUP | EPOLLERR))
			drop(c);
		else if (c && c->fd >= 0)
			c->answer ? send_some(l, c) : receive(l, c);
	}
	/* Last: a place that is taken over is not one of these events'. */
	for (int i = 0; i < n; i++)
		if (!events[i].data.ptr)
			accept_one(l, now_ns);
	for (size_t i = 0; i < LISTEN_MAX_CLIENTS; i++) {
		struct client *c = &l->clients[i];

		if (c->fd >= 0 && now_ns - c->since_ns > LISTEN_TIMEOUT_MS * 1000000ull)
			drop(c);
		else if (c->fd >= 0 && c->waits && is_fresh(l, now_ns))
			answer(l, c, 200, l->page, l->page_len);
	}
}

bool listen__wants_page(const struct listen *l, uint64_t now_ns)
{
	if (is_fresh(l, now_ns))
		return false;
	for (size_t i = 0; i < LISTEN_MAX_CLIENTS; i++)
		if (l->clients[i].fd >= 0 && l->clients[i].waits)
			return now_ns >= l->next_page_ns;
	return false;
}

void listen__set_page(struct listen *l, char *text, size_t len, uint64_t now_ns, uint64_t made_ns)
{
	const uint64_t least_ns = LISTEN_PAGE_MS * 1000000ull, most_ns = LISTEN_OLD_PAGE_MS * 1000000ull;
	uint64_t rest_ns = 20 * made_ns < least_ns ? least_ns : 20 * made_ns > most_ns ? most_ns : 20 * made_ns;

	free(l->page);
	l->page = text;
	l->page_len = len;
	l->next_page_ns = now_ns + rest_ns;
	for (size_t i = 0; i < LISTEN_MAX_CLIENTS; i++)
		if (l->clients[i].fd >= 0 && l->clients[i].waits)
			answer(l, &l->clients[i], 200, l->page, l->page_len);
}
