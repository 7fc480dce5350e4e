// SPDX-License-Identifier: GPL-2.0-or-later
/* What is pure of cmd/push.c; what goes over a socket is tested in tests/e2e/push.sh. */
#include "cmd/push.h"

#include <errno.h>

#include "test.h"

static void check_url(const char *text, const char *host, const char *port, const char *path)
{
	struct push_url url;

	if (!CHECK_INT(push_parse(text, &url), 0))
		return;
	CHECK_STR(url.host, host);
	CHECK_STR(url.port, port);
	CHECK_STR(url.path, path);
}

TEST(urls)
{
	const char *bad[] = { "", "localhost:4040", "https://a", "http://", "http:///x", "http://:80", "http://a:", "http://a:0", "http://a:65536",
			      "http://a:80x", "http://u:p@a", "http://a/?x", "http://a/#x", "http://a b", "http://a/\r\nx", "http://[::1",
			      "http://[::1]x", "http://[]:1", "http://\xc3\xa4" };
	struct push_url url;
	char text[1024] = "http://";

	check_url("http://localhost:4040", "localhost", "4040", "");
	check_url("http://10.0.0.1", "10.0.0.1", "80", "");
	check_url("http://10.0.0.1/", "10.0.0.1", "80", "");
	check_url("http://p.example:1/a/b//", "p.example", "1", "/a/b");
	check_url("http://[::1]:4040/x", "::1", "4040", "/x");
	check_url("http://[::1]", "::1", "80", "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(push_parse(bad[i], &url), -EINVAL);
	memset(text + 7, 'a', 300);
	CHECK_INT(push_parse(text, &url), -EINVAL);
	text[8] = '/';
	CHECK_INT(push_parse(text, &url), -EINVAL);
}

TEST(statuses)
{
	CHECK_INT(push_status("HTTP/1.1 200 OK\r\n"), 200);
	CHECK_INT(push_status("HTTP/1.0 503"), 503);
	CHECK_INT(push_status("HTTP/1.1 42 x"), 0);
	CHECK_INT(push_status("SSH-2.0"), 0);
	CHECK_INT(push_status(""), 0);
}

TEST_MAIN()
