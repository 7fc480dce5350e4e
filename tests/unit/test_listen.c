// SPDX-License-Identifier: GPL-2.0-or-later
/* Addresses and requests, in any pieces: the answers are decided without a socket. */
#include "cmd/listen.h"

#include <stdlib.h>

#include "test.h"

TEST(addresses)
{
	static const struct {
		const char *text, *host; /* host NULL: wrong */
		unsigned int port;
	} cases[] = {
		{ "9464", "127.0.0.1", 9464 }, { "0", "127.0.0.1", 0 },	     { ":80", "", 80 },	     { "0.0.0.0:1", "0.0.0.0", 1 },
		{ "[::1]:9464", "::1", 9464 }, { "localhost:5", "127.0.0.1", 5 }, { "", NULL, 0 },	     { "65536", NULL, 0 },
		{ "x", NULL, 0 },	       { "a.org:80", NULL, 0 },	     { "1.2.3.4:", NULL, 0 }, { "[::1", NULL, 0 },
		{ "-1", NULL, 0 },	       { "1.2.3.4:80 ", NULL, 0 },
	};
	struct listen_addr addr;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!CHECK_INT(listen_parse(cases[i].text, &addr) == 0, cases[i].host != NULL) || !cases[i].host)
			continue;
		CHECK_STR(addr.host, cases[i].host);
		CHECK_INT(addr.port, cases[i].port);
	}
}

/* The answer to @text; each beginning of it must not be answered, or as the whole. */
static int status_of(const char *text, bool *head)
{
	int whole = listen_status(text, strlen(text), head);

	for (size_t len = 1; len < strlen(text); len++) {
		char *part = malloc(len); /* its end is the end of memory, for the sanitizers */
		bool ignored;
		int status;

		memcpy(part, text, len);
		status = listen_status(part, len, &ignored);
		free(part);
		CHECK(!status || status == whole || status == 400);
	}
	return whole;
}

TEST(requests)
{
	bool head;

	CHECK_INT(status_of("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", &head), 200);
	CHECK(!head);
	CHECK_INT(status_of("HEAD /metrics?x=1 HTTP/1.0\r\n\r\n", &head), 200);
	CHECK(head);
	CHECK_INT(status_of("GET /\n\n", &head), 200);
	CHECK_INT(status_of("GET /metricsx HTTP/1.1\r\n\r\n", &head), 404);
	CHECK_INT(status_of("GET  HTTP/1.1\r\n\r\n", &head), 404);
	CHECK_INT(status_of("GET \r\n\r\n", &head), 404);
	CHECK_INT(status_of("POST / HTTP/1.1\r\n\r\n", &head), 405);
	CHECK_INT(status_of("\r\n\r\n", &head), 400);
	CHECK_INT(status_of("GET / HTTP/1.1\r\n", &head), 0);
	CHECK_INT(listen_status("", 0, &head), 0);
}

TEST_MAIN()
