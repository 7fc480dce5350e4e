// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t terminal_width(void)
{
	struct winsize ws;

	return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col >= 60 ? ws.ws_col : 100;
}

struct export_opts output_export_opts(const struct options *o, enum window window)
{
	return (struct export_opts){
		.tool = "allocsnoop " ALLOCSNOOP_VERSION,
		.window = window,
		.metric = o->metric,
		.sort = o->sort,
		.group = o->group,
		.top = o->top,
		.width = terminal_width(),
		.color = options_color(o),
		.verbose = o->verbose,
	};
}

const struct exporter *output_exporter(const struct options *o, const char *path)
{
	const struct exporter *exporter = o->format;

	if (!exporter || (o->noutputs > 1 && exporter_by_path(path)))
		exporter = exporter_by_path(path);
	return exporter ? exporter : exporter_by_name("text");
}

static int cannot(struct err *err, const char *path, int error)
{
	return err_set(err, FAIL_GENERAL, -error, "cannot write %s: %s", path, strerror(error));
}

/* A new file beside @path with the mode that creat(2) would give it. */
static int open_beside(struct output *out, struct err *err)
{
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	if (asprintf(&out->tmp_path, "%s.XXXXXX", out->path) < 0) {
		out->tmp_path = NULL;
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	}
	fd = mkostemp(out->tmp_path, O_CLOEXEC);
	if (fd < 0) {
		int error = errno;

		free(out->tmp_path);
		out->tmp_path = NULL;
		return cannot(err, out->path, error);
	}
	fchmod(fd, 0666 & ~mask);
	out->file = fdopen(fd, "w");
	return out->file ? 0 : cannot(err, out->path, errno);
}

int output__open(struct output *out, const struct exporter *exporter, const char *path, bool streams, struct err *err)
{
	struct stat st;
	int error;

	*out = (struct output){ .exporter = exporter, .path = path, .streams = streams };
	if (strcmp(path, "-") == 0) {
		out->file = stdout;
		return 0;
	}
	error = stat(path, &st) ? errno : 0;
	if (!error && S_ISDIR(st.st_mode))
		return cannot(err, path, EISDIR);
	/* A device or a pipe is written, not replaced. */
	if (streams || (!error && !S_ISREG(st.st_mode))) {
		out->file = fopen(path, "we");
		return out->file ? 0 : cannot(err, path, errno);
	}
	return open_beside(out, err);
}

int output__open_recording(struct output *out, const char *path, const struct writer_opts *opts, struct err *err)
{
	*out = (struct output){ .path = path };
	return writer__new(path, opts, &out->writer, err);
}

bool output__is_open(const struct output *out)
{
	return out->file || out->writer;
}

int output__write(struct output *out, const struct profile *prof, const struct export_opts *opts, struct err *err)
{
	int code = out->exporter->write(prof, opts, out->file);
	int error = 0;

	if (!code && (fflush(out->file) || ferror(out->file)))
		error = errno ? errno : EIO;
	if (error == EPIPE)
		return -EPIPE;
	if (error)
		return cannot(err, strcmp(out->path, "-") == 0 ? "to standard output" : out->path, error);
	if (code)
		return err_set(err, FAIL_GENERAL, code, "cannot make the %s result: %s", out->exporter->name, strerror(-code));
	return 0;
}

int output__commit(struct output *out, struct err *err)
{
	FILE *file = out->file;
	int code = 0;

	writer__free(out->writer);
	out->writer = NULL;
	out->file = NULL;
	if (!file || file == stdout)
		return 0;
	if (fclose(file))
		code = cannot(err, out->path, errno);
	if (!code && out->tmp_path && rename(out->tmp_path, out->path))
		code = cannot(err, out->path, errno);
	if (!code) {
		free(out->tmp_path);
		out->tmp_path = NULL;
	}
	return code;
}

void output__abort(struct output *out)
{
	if (out->file && out->file != stdout)
		fclose(out->file);
	out->file = NULL;
	writer__free(out->writer);
	out->writer = NULL;
	if (out->tmp_path) { /* never put in place */
		unlink(out->tmp_path);
		free(out->tmp_path);
		out->tmp_path = NULL;
	}
}
