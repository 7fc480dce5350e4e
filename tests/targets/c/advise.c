// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * advise PID ADVICE ADDRESS BYTES: what madvise(2) calls @ADVICE (a number) for the memory
 * of another process. Fails unless all of it was advised.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct iovec range;
	int pidfd;

	if (argc != 5)
		return 3;
	range.iov_base = (void *)strtoul(argv[3], NULL, 10);
	range.iov_len = strtoul(argv[4], NULL, 10);
	pidfd = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	if (pidfd >= 0 &&
	    syscall(SYS_process_madvise, pidfd, &range, 1, atoi(argv[2]), 0) == (long)range.iov_len)
		return 0;
	printf("process_madvise(%s): %s\n", argv[2], strerror(errno));
	return 1;
}
