// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/push.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/args.h"

#define BOUNDARY "allocsnoop-7d1f6c0a93b24e58"
#define PART(name, type) "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"" name "\"\r\nContent-Type: " type "\r\n\r\n"
#define TYPE(name, units, how) "\"" name "\":{\"units\":\"" units "\",\"aggregation\":\"" how "\",\"display-name\":\"" name "\"}"

/* Before the profile, and behind it: what its sample types are. */
static const char form_begin[] = PART("profile", "application/octet-stream");
static const char form_end[] = "\r\n" PART("sample_type_config", "application/json") "{"
	TYPE("alloc_objects", "objects", "sum") "," TYPE("alloc_space", "bytes", "sum") ","
	TYPE("inuse_objects", "objects", "average") "," TYPE("inuse_space", "bytes", "average") ","
	TYPE("rss_space", "bytes", "average") "}\r\n--" BOUNDARY "--\r\n";

struct item {
	char name[64];
	uint64_t from_ns, until_ns;
	char *pprof;
	size_t len;
};

struct push {
	struct push_url url;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	struct item queue[PUSH_QUEUE]; /* the oldest first */
	size_t nqueue;
	bool busy, stop, has_ended;
	uint64_t failed;
	char why[256]; /* of the first failure, until it was told */
	bool told;
};

int push_parse(const char *text, struct push_url *ret)
{
	struct push_url url = { .port = "80" };
	const char *rest, *end;
	uint64_t port;
	size_t len;

	if (strncmp(text, "http://", 7) != 0)
		return -EINVAL;
	text += 7;
	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f || strchr("@?#\"", *c))
			return -EINVAL; /* nothing that could end the request's line, and no secrets on command lines */
	}
	rest = text + strcspn(text, "/");
	end = *text == '[' ? memchr(text, ']', (size_t)(rest - text)) : text + strcspn(text, ":/");
	if (!end)
		return -EINVAL;
	text += *end == ']';
	len = (size_t)(end - text);
	if (!len || len >= sizeof(url.host) || strlen(rest) >= sizeof(url.path))
		return -EINVAL;
	memcpy(url.host, text, len);
	end += *end == ']';
	if (*end == ':') {
		len = (size_t)(rest - end - 1);
		if (!len || len >= sizeof(url.port))
			return -EINVAL;
		memcpy(url.port, end + 1, len);
		url.port[len] = 0;
		if (args_u64(url.port, 1, 65535, &port))
			return -EINVAL;
	} else if (end != rest) {
		return -EINVAL;
	}
	strcpy(url.path, rest);
	for (len = strlen(url.path); len && url.path[len - 1] == '/'; len--)
		url.path[len - 1] = 0;
	*ret = url;
	return 0;
}

int push_status(const char *answer)
{
	int status;

	return sscanf(answer, "HTTP/1.%*1[01] %3d", &status) == 1 && status >= 100 ? status : 0;
}

/* A socket that is connected to the first address that takes it, or -1 and @why. */
static int connect_to(const struct push_url *url, char *why, size_t size)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const struct timeval limit = { .tv_sec = PUSH_TIMEOUT_S };
	struct addrinfo *list;
	int fd = -1, code = getaddrinfo(url->host, url->port, &hints, &list);

	if (code) {
		snprintf(why, size, "%s", gai_strerror(code));
		return -1;
	}
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd >= 0) {
			setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* of the connect, too */
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		}
		if (fd < 0 || connect(fd, a->ai_addr, a->ai_addrlen)) {
			snprintf(why, size, "%s", errno == EINPROGRESS ? "it does not answer" : strerror(errno));
			if (fd >= 0)
				close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

static bool send_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= (size_t)n) {
		n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
	}
	return true;
}

/* One request. The status, or 0 and @why. */
static int request(const struct push_url *url, const struct item *item, char *why, size_t size)
{
	const size_t body_len = sizeof(form_begin) - 1 + item->len + sizeof(form_end) - 1;
	const bool is_v6 = strchr(url->host, ':');
	char head[1536], answer[256] = "";
	int fd = connect_to(url, why, size), status = 0;
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return 0;
	snprintf(head, sizeof(head),
		 "POST %s/ingest?name=%s&from=%llu&until=%llu&format=pprof&spyName=allocsnoop HTTP/1.1\r\nHost: %s%s%s:%s\r\n"
		 "Content-Type: multipart/form-data; boundary=" BOUNDARY "\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
		 url->path, item->name, (unsigned long long)(item->from_ns / 1000000000),
		 (unsigned long long)((item->until_ns + 999999999) / 1000000000), is_v6 ? "[" : "", url->host, is_v6 ? "]" : "",
		 url->port, body_len);
	if (send_all(fd, head, strlen(head)) && send_all(fd, form_begin, sizeof(form_begin) - 1) &&
	    send_all(fd, item->pprof, item->len) && send_all(fd, form_end, sizeof(form_end) - 1)) {
		while (n > 0 && len < sizeof(answer) - 1 && !memchr(answer, '\n', len)) {
			n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
			len += n > 0 ? (size_t)n : 0;
		}
		status = push_status(answer);
	}
	close(fd);
	if (!status)
		snprintf(why, size, "no answer to a profile of %zu bytes", item->len);
	else if (status / 100 != 2)
		snprintf(why, size, "it answers %d", status);
	return status;
}

/* Tries again where that may help: not what the server refuses. */
static bool push_item(struct push *p, const struct item *item, char *why, size_t size)
{
	int status;

	for (int i = 1; i <= PUSH_TRIES; i++) {
		status = request(&p->url, item, why, size);
		if (status / 100 == 2)
			return true;
		if (status / 100 == 4 && status != 429)
			return false;
		if (i < PUSH_TRIES)
			sleep((unsigned int)i); /* push__finish() has the bound of all of it */
	}
	return false;
}

/* Under the lock. */
static void fail(struct push *p, const char *why)
{
	p->failed++;
	if (!p->why[0] && !p->told)
		snprintf(p->why, sizeof(p->why), "%s", why);
}

static void take_oldest(struct push *p, struct item *ret)
{
	*ret = p->queue[0];
	memmove(p->queue, p->queue + 1, --p->nqueue * sizeof(p->queue[0]));
}

static void *run(void *arg)
{
	struct push *p = arg;
	struct item item;
	char why[256];
	bool sent;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->nqueue && !p->stop)
			pthread_cond_wait(&p->changed, &p->lock);
		if (!p->nqueue)
			break;
		take_oldest(p, &item);
		p->busy = true;
		pthread_mutex_unlock(&p->lock);
		why[0] = 0;
		sent = push_item(p, &item, why, sizeof(why));
		free(item.pprof);
		pthread_mutex_lock(&p->lock);
		p->busy = false;
		if (!sent)
			fail(p, why);
	}
	p->has_ended = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int push__open(const struct push_url *url, struct push **ret)
{
	struct push *p = calloc(1, sizeof(*p));
	sigset_t all, old;
	int code;

	if (!p)
		return -ENOMEM;
	p->url = *url;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	code = pthread_create(&p->thread, NULL, run, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (code) {
		free(p);
		return -code;
	}
	*ret = p;
	return 0;
}

void push__send(struct push *p, const char *name, uint64_t from_ns, uint64_t until_ns, char *pprof, size_t len)
{
	struct item item = { .from_ns = from_ns, .until_ns = until_ns, .pprof = pprof, .len = len }, oldest;

	snprintf(item.name, sizeof(item.name), "%s", *name ? name : "unknown");
	for (char *c = item.name; *c; c++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", *c))
			*c = '_';
	}
	pthread_mutex_lock(&p->lock);
	if (p->nqueue == PUSH_QUEUE) {
		take_oldest(p, &oldest);
		free(oldest.pprof);
		fail(p, "it takes them too slowly");
	}
	p->queue[p->nqueue++] = item;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

uint64_t push__failed(struct push *p, char *ret_why)
{
	uint64_t failed;

	pthread_mutex_lock(&p->lock);
	failed = p->failed;
	strcpy(ret_why, p->why);
	p->told |= p->why[0] != 0;
	p->why[0] = 0;
	pthread_mutex_unlock(&p->lock);
	return failed;
}

void push__finish(struct push *p)
{
	struct timespec until;
	int code = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PUSH_TIMEOUT_S;
	pthread_mutex_lock(&p->lock);
	p->stop = true; /* when all is sent */
	pthread_cond_broadcast(&p->changed);
	while (!p->has_ended && !code)
		code = pthread_cond_timedwait(&p->changed, &p->lock, &until);
	if (!p->has_ended && p->busy)
		fail(p, "it takes too long at the end");
	p->failed += p->nqueue;
	while (p->nqueue)
		free(p->queue[--p->nqueue].pprof);
	pthread_mutex_unlock(&p->lock);
}

/* A thread that still waits for the network, or was not given the time, keeps what it has: the program ends with it. */
void push__free(struct push *p)
{
	bool has_ended;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->changed);
	has_ended = p->has_ended;
	pthread_mutex_unlock(&p->lock);
	if (!has_ended) {
		pthread_detach(p->thread);
		return;
	}
	pthread_join(p->thread, NULL);
	free(p);
}
