// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/ending.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MAX_SHOWN 4

uint64_t ending_oom_kills(void)
{
	FILE *in = fopen("/proc/vmstat", "re");
	uint64_t n = 0;
	char line[128];

	if (!in)
		return 0;
	while (fgets(line, sizeof(line), in))
		if (sscanf(line, "oom_kill %" SCNu64, &n) == 1)
			break;
	fclose(in);
	return n;
}

static size_t put_target(const struct profile *prof, const struct prof_target *t, uint64_t oom_kills, char *buf, size_t size)
{
	const char *comm = strtab__get(prof->strs, t->comm);
	int number = t->exit_code - 128, n;

	if (t->exit_code == PROF_EXIT_UNKNOWN)
		n = snprintf(buf, size, "%.64s (pid %u) ended", comm, t->pid);
	else if (number > 0 && number <= 64)
		n = snprintf(buf, size, "%.64s (pid %u) was killed by signal %d (SIG%s)%s", comm, t->pid, number,
			     sigabbrev_np(number) ?: "?",
			     number == SIGKILL && oom_kills ? ", and the kernel killed for want of memory meanwhile" : "");
	else
		n = snprintf(buf, size, "%.64s (pid %u) exited with %d", comm, t->pid, t->exit_code);
	return n > 0 ? (size_t)n : 0;
}

const char *ending_text(const struct profile *prof, const char *why, uint64_t oom_kills, char *buf, size_t size)
{
	size_t len = 0;
	uint32_t shown = 0;

	for (uint32_t i = 0; i < prof->ntargets; i++) {
		if (prof->targets[i].exit_code == PROF_RUNNING) {
			snprintf(buf, size, "%s", why);
			return buf;
		}
	}
	for (uint32_t i = 0; i < prof->ntargets && shown < MAX_SHOWN && len + 2 < size; i++, shown++) {
		if (shown)
			len += (size_t)snprintf(buf + len, size - len, "; ");
		len += put_target(prof, &prof->targets[i], oom_kills, buf + len, size - len);
	}
	if (shown < prof->ntargets && len < size)
		snprintf(buf + len, size - len, "; and %u more", prof->ntargets - shown);
	if (!prof->ntargets)
		snprintf(buf, size, "%s", why);
	return buf;
}
