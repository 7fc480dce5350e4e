// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/elf.h"

#define MAX_PATHS 4096
#define MAX_SCRIPT_DEPTH 4 /* an interpreter can be a script; Linux goes as far (BINPRM_MAX_RECURSION) */

static int add_path(struct child *child, const char *path)
{
	char **paths = realloc(child->paths, (child->npaths + 1) * sizeof(*paths));

	if (!paths)
		return -ENOMEM;
	child->paths = paths;
	paths[child->npaths] = strdup(path);
	if (!paths[child->npaths])
		return -ENOMEM;
	child->npaths++;
	return 0;
}

static bool is_executable(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* Where execvp(3) finds @name; NULL when nowhere. To be freed. */
static char *find_command(const char *name)
{
	const char *dirs = getenv("PATH");
	char *path;

	if (strchr(name, '/'))
		return is_executable(name) ? strdup(name) : NULL;
	if (!dirs)
		dirs = "/bin:/usr/bin";
	while (*dirs) {
		size_t len = strcspn(dirs, ":");

		if (asprintf(&path, "%.*s%s%s", (int)len, dirs, len ? "/" : "", name) < 0)
			return NULL;
		if (is_executable(path))
			return path;
		free(path);
		dirs += len + (dirs[len] == ':');
	}
	return NULL;
}

/* The interpreter that a script's first line names, or NULL. To be freed. */
static char *script_interpreter(const char *path)
{
	char line[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	char *start;

	if (fd >= 0)
		close(fd);
	if (len < 2 || line[0] != '#' || line[1] != '!')
		return NULL;
	line[len] = 0;
	line[strcspn(line, "\n")] = 0;
	start = line + 2 + strspn(line + 2, " \t");
	start[strcspn(start, " \t")] = 0;
	return *start ? strdup(start) : NULL;
}

/* "name => /path (0x...)" or "/path (0x...)", as ld.so --list prints. */
static int add_listed(struct child *child, char *line)
{
	char *arrow = strstr(line, "=> ");
	char *path = arrow ? arrow + 3 : line + strspn(line, " \t");
	char *end = strstr(path, " (0x");

	if (*path != '/' || !end || child->npaths >= MAX_PATHS)
		return 0;
	*end = 0;
	return add_path(child, path);
}

/*
 * What the program's own loader says that it will map: it knows about LD_PRELOAD,
 * run paths and caches. glibc's and musl's take --list and run nothing of the program.
 */
static int add_libraries(struct child *child, const char *interp, const char *program)
{
	char *line = NULL;
	size_t cap = 0;
	int fds[2], err = 0;
	FILE *in;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(fds[1], 1);
		dup2(null, 2);
		execl(interp, interp, "--list", program, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	in = pid < 0 ? NULL : fdopen(fds[0], "r");
	if (!in) {
		close(fds[0]);
		return pid < 0 ? -EAGAIN : -ENOMEM;
	}
	while (!err && getline(&line, &cap, in) >= 0)
		err = add_listed(child, line);
	free(line);
	fclose(in);
	waitpid(pid, NULL, 0);
	return err;
}

static int find_paths(struct child *child, const char *program)
{
	char *path = realpath(program, NULL), *interpreter;
	const char *interp;
	struct elf_file *elf;
	int err, fd;

	for (int depth = 0; path && depth < MAX_SCRIPT_DEPTH; depth++) {
		interpreter = script_interpreter(path);
		if (!interpreter)
			break;
		free(path);
		path = interpreter;
	}
	if (!path)
		return -ENOMEM;
	err = add_path(child, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!err && fd >= 0 && !elf_file__open(fd, path, &elf, NULL)) {
		interp = elf_file__interp(elf);
		if (interp)
			err = add_path(child, interp); /* a static PIE names one and its --list does not */
		if (interp && !err)
			err = add_libraries(child, interp, path);
		elf_file__free(elf);
	}
	free(path);
	return err;
}

static void run_child(char **command, int go_fd, int result_fd)
{
	sigset_t none;
	char byte;
	int error;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (read(go_fd, &byte, 1) != 1)
		_exit(127);
	execvp(command[0], command);
	error = errno;
	if (write(result_fd, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

int child__start(char **command, struct child *ret, struct err *err)
{
	struct child child = { .go_fd = -1, .result_fd = -1 };
	char *program = find_command(command[0]);
	int go[2], result[2], code;

	if (!program)
		return err_set(err, FAIL_TARGET, -ENOENT, "there is no program %s to be executed", command[0]);
	code = find_paths(&child, program);
	free(program);
	if (code) {
		err_set(err, FAIL_GENERAL, code, "cannot find out what %s will load: %s", command[0], strerror(-code));
		goto fail;
	}
	if (pipe2(go, O_CLOEXEC)) {
		code = err_set(err, FAIL_GENERAL, -errno, "cannot start %s: %s", command[0], strerror(errno));
		goto fail;
	}
	if (pipe2(result, O_CLOEXEC)) {
		code = err_set(err, FAIL_GENERAL, -errno, "cannot start %s: %s", command[0], strerror(errno));
		close(go[0]);
		close(go[1]);
		goto fail;
	}
	child.pid = fork();
	if (child.pid == 0) {
		close(go[1]);
		close(result[0]);
		run_child(command, go[0], result[1]);
	}
	close(go[0]);
	close(result[1]);
	child.go_fd = go[1];
	child.result_fd = result[0];
	if (child.pid < 0) {
		child.pid = 0;
		code = err_set(err, FAIL_GENERAL, -errno, "cannot start %s: %s", command[0], strerror(errno));
		goto fail;
	}
	*ret = child;
	return 0;
fail:
	child__free(&child);
	return code;
}

int child__release(struct child *child, struct err *err)
{
	int error = 0;

	if (write(child->go_fd, "", 1) != 1)
		return err_set(err, FAIL_GENERAL, -errno, "the command's process is gone");
	close(child->go_fd);
	child->go_fd = -1;
	if (read(child->result_fd, &error, sizeof(error)) == sizeof(error))
		return err_set(err, FAIL_TARGET, -error, "cannot execute the command: %s", strerror(error));
	return 0;
}

bool child__reap(struct child *child, int *ret_exit_code)
{
	int status;

	if (!child->pid || waitpid(child->pid, &status, WNOHANG) != child->pid)
		return false;
	child->pid = 0;
	*ret_exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}

void child__free(struct child *child)
{
	if (child->go_fd >= 0) {
		/* Never released: it ends by itself when its end of the pipe does. */
		close(child->go_fd);
		if (child->pid)
			waitpid(child->pid, NULL, 0);
	}
	if (child->result_fd >= 0)
		close(child->result_fd);
	for (size_t i = 0; i < child->npaths; i++)
		free(child->paths[i]);
	free(child->paths);
	*child = (struct child){ .go_fd = -1, .result_fd = -1 };
}
