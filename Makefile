# SPDX-License-Identifier: GPL-2.0-or-later
# allocsnoop: `make help` lists the targets.

VERSION := 0.1.0
VERSION_DATE := 2026-11-25
O ?= .output
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool 2>/dev/null || echo /usr/sbin/bpftool)
LLVM_STRIP ?= llvm-strip
OBJCOPY ?= objcopy
ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

ifeq ($(V),1)
Q :=
msg :=
else
Q := @
msg = @printf '  %-8s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))';
endif

WERROR ?= $(if $(CI),-Werror)
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes $(WERROR)
CPPFLAGS_ALL := -D_GNU_SOURCE -DALLOCSNOOP_VERSION='"$(VERSION)"' -DALLOCSNOOP_DATE='"$(VERSION_DATE)"' -Iuser -I. -I$(O)
CFLAGS_ALL := -std=gnu11 $(CFLAGS) $(WARN) -MMD -MP
# 14 and later of clang; the BPF side knows nothing of the host's headers but bpf/ and libbpf's.
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra $(WERROR) -Wno-unused-parameter \
	-Ivmlinux/$(ARCH) -Ibpf -I. -MMD -MP

LIBS := -lbpf -lsqlite3 -ldw -lelf -lz -lzstd -llzma -liberty -lm
# What libdw.a, libelf.a and libbpf.a need behind them.
STATIC_LIBS := -lbpf -ldw -lelf -lz -lbz2 -llzma -lzstd -liberty -lpthread -ldl -lm

USER_SRC := $(sort $(wildcard user/*/*.c))
LIB_SRC := $(filter-out user/cmd/main.c,$(USER_SRC))
LIB_OBJ := $(LIB_SRC:%.c=$(O)/%.o)
MAIN_OBJ := $(O)/user/cmd/main.o
SKEL := $(O)/bpf/allocsnoop.skel.h $(O)/bpf/calib.skel.h
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT_SRC:%.c=$(O)/%)

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: all static install deb deps demo bench bench-return bench-rss test test-unit test-e2e test-go test-real test-vm test-vm-quick fuzz run-fuzzers check-layers clean help

all: $(O)/allocsnoop ## build $(O)/allocsnoop (the default)

static: $(O)/allocsnoop-static ## one static binary that runs on another machine

$(O)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@ -MF $(@:.o=.d)
	$(Q)$(LLVM_STRIP) -g $@

$(O)/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# Only capture/ includes skeletons.
$(filter $(O)/user/capture/%,$(LIB_OBJ)): | $(SKEL)

$(O)/user/%.o: user/%.c Makefile
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c $< -o $@

# The page of the HTML report. Where npm is missing it is an empty file, and made again by the next make.
HTML_SRC := $(wildcard user/export/html/*)
HTML_PAGE_OBJ := $(O)/user/export/html_page.o $(O)/fuzz/user/export/html_page.o

$(O)/html/page.html: $(HTML_SRC) $(if $(shell [ -s $(O)/html/page.html ] || echo again),again)
	$(call msg,PAGE,$@)
	$(Q)user/export/html/build.sh $(O)/html
.PHONY: again

$(HTML_PAGE_OBJ): $(O)/html/page.html
$(HTML_PAGE_OBJ): CPPFLAGS_ALL += -DHTML_PAGE='"$(O)/html/page.html"'

$(O)/liballocsnoop.a: $(LIB_OBJ)
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/allocsnoop: $(MAIN_OBJ) $(O)/liballocsnoop.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# What is compiled otherwise there stands before the archive.
$(O)/static/%.o: %.c Makefile
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -DALLOCSNOOP_STATIC $(CFLAGS_ALL) -c $< -o $@

# SQLite would load extensions if anybody asked; libc's dlopen() in a static program needs libc's shared library.
$(O)/static/libsqlite3.a: Makefile
	$(call msg,OBJCOPY,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(OBJCOPY) --redefine-sym dlopen=static_has_no_dlopen $$($(CC) -print-file-name=libsqlite3.a) $@

$(O)/allocsnoop-static: $(MAIN_OBJ) $(O)/static/user/sym/debuginfod.o $(O)/static/user/store/db.o $(O)/liballocsnoop.a \
		$(O)/static/libsqlite3.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -static -o $@ $^ $(STATIC_LIBS)

$(O)/tests/unit/%: tests/unit/%.c $(O)/liballocsnoop.a
	$(call msg,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Itests/unit -o $@ $< $(O)/liballocsnoop.a $(LIBS) -MF $@.d

unit-bins: $(UNIT_BIN)

test: ## install what is missing, build, run every test of the everyday set (as root)
	$(Q)O=$(O) tests/run.sh

test-unit: $(UNIT_BIN) ## parsers and other pure code; no root
	$(Q)O=$(O) tests/run.sh unit

# Each fuzzer is linked with all that needs no libbpf, whatever it takes of it.
FUZZ_SECONDS ?= 20
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(FUZZ_SRC:%.c=$(O)/%)
FUZZ_LIB_SRC := $(filter user/base/% user/target/% user/go/% user/unwind/% user/profile/% user/export/% user/store/% user/sym/% user/capture/spot_% user/capture/returns_% user/capture/goheap.c,$(LIB_SRC))
FUZZ_LIB_OBJ := $(FUZZ_LIB_SRC:%.c=$(O)/fuzz/%.o)
FUZZ_CFLAGS := -std=gnu11 -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all $(WARN) -MMD -MP

$(O)/fuzz/%.o: %.c Makefile
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS_ALL) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -c $< -o $@

$(O)/fuzz/libfuzzed.a: $(FUZZ_LIB_OBJ)
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/tests/fuzz/%: tests/fuzz/%.c $(O)/fuzz/libfuzzed.a
	$(call msg,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS_ALL) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $< $(O)/fuzz/libfuzzed.a -lsqlite3 -ldw -lelf -lz -lzstd -llzma -liberty -lm -MF $@.d

# What installs comes before what is built with it, whatever make builds first.
fuzz: ## install what is missing, build, run every fuzzer for FUZZ_SECONDS (20); findings stay in the output folder
	$(Q)mkdir -p $(O)/tests && echo "0 passed, 1 failed, 0 skipped" >$(O)/tests/summary-fuzz # unless it gets to its end
	$(Q)tools/install-deps.sh build fuzz
	$(Q)$(MAKE) --no-print-directory run-fuzzers

run-fuzzers: $(FUZZ_BIN) $(O)/tests/unit/test_gopclntab
	$(Q)rc=0 passed=0 failed=0; for bin in $(FUZZ_BIN); do \
		corpus=$$(mktemp -d) || exit 1; \
		case $$bin in */fuzz_gopclntab) \
			ALLOCSNOOP_FUZZ_SEEDS=$$corpus $(O)/tests/unit/test_gopclntab >/dev/null 2>&1 || exit 1 ;; \
		esac; \
		if $$bin -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -artifact_prefix=$$bin- \
			$$corpus $$(ls -d tests/fuzz/corpus/$${bin##*/fuzz_} 2>/dev/null) >$$bin.log 2>&1; then \
			passed=$$((passed + 1)); \
			echo "ok     $${bin##*/} ($$(sed -n 's/^Done \([0-9]* runs\).*/\1/p' $$bin.log))"; \
		else \
			rc=1 failed=$$((failed + 1)); tail -n 40 $$bin.log; echo "not ok $${bin##*/}: see $$bin.log"; \
		fi; \
		rm -rf $$corpus; \
	done; echo "$$passed passed, $$failed failed, 0 skipped" | tee $(O)/tests/summary-fuzz; exit $$rc

test-e2e: all ## programs under the real tool (as root)
	$(Q)O=$(O) tests/run.sh e2e

test-go: all $(O)/tests/unit/test_golayout ## Go 1.15 to 1.27 in every shape, exact (as root; fetches 2 GB of toolchains once)
	$(Q)O=$(O) ALLOCSNOOP_LAB=$(LAB) tests/go_matrix.sh

test-real: all ## published Go programs against their own counters (as root; fetches 1 GB of packages once)
	$(Q)O=$(O) ALLOCSNOOP_LAB=$(LAB) tests/real_go.sh

test-vm: ## the static binary on Linux 5.10, 6.1, 6.12 and 7.2, emulated (as root; fetches the kernels once)
	$(Q)O=$(O) ALLOCSNOOP_LAB=$(LAB) tests/vm/run.sh

test-vm-quick: ## the oldest and the newest of them: starts, counts malloc and RSS (as root; fetches the kernels once)
	$(Q)O=$(O) ALLOCSNOOP_LAB=$(LAB) tests/vm/run.sh -k '^guest/kernel/|^e2e/(c_exact/many_threads|rss_ledger/known_pattern)$$' 6.1 7.2

$(O)/tools/bench/%: tools/bench/%.c $(O)/liballocsnoop.a
	$(call msg,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -fno-builtin -o $@ $< $(O)/liballocsnoop.a $(LIBS) -MF $@.d

bench-return: $(O)/tools/bench/return ## what the ways to see a function return cost here (as root)
	$(Q)$<

deps: ## install what the build needs (Debian, Ubuntu)
	$(Q)tools/install-deps.sh build

demo: ## a leaking Go service, found: installs, builds, runs (as root)
	$(Q)O=$(O) tools/demo.sh

BENCH_BIN := $(O)/tools/bench/pairs-fp $(O)/tools/bench/pairs-nofp $(O)/tools/bench/floor

$(O)/tools/bench/pairs-fp $(O)/tools/bench/pairs-nofp: $(O)/tools/bench/pairs-%: tools/bench/pairs.c Makefile
	$(call msg,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -fno-builtin -fno-optimize-sibling-calls \
		$(if $(filter fp,$*),-fno-omit-frame-pointer,-fomit-frame-pointer) -o $@ $<

$(O)/tools/bench/floor: tools/bench/floor.c $(O)/liballocsnoop.a
	$(call msg,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -o $@ $< $(O)/liballocsnoop.a $(LIBS)

bench-rss: $(O)/allocsnoop ## what the RSS ledger costs, beside perf and bpftrace, and under prometheus (as root)
	$(Q)O=$(O) tools/bench/rss.sh
	$(Q)O=$(O) tools/bench/rss.sh prometheus 5

bench: $(O)/allocsnoop $(BENCH_BIN) ## what tracing costs, beside memleak, bpftrace and heaptrack (as root; installs them; BENCH_ROUNDS=3)
	$(Q)O=$(O) tools/bench/bench.sh

check-layers: ## do the includes point only to the left?
	$(Q)tools/check_layers.sh

# See vmlinux/README.md.
LAB ?= /var/cache/allocsnoop-lab
BTF_x86 ?= $(LAB)/kernel/7.2/btf
BTF_arm64 ?= $(LAB)/kernel/arm64-7.2/btf
RELEASE_x86 ?= $(shell cat $(LAB)/kernel/7.2/version)
RELEASE_arm64 ?= $(shell cat $(LAB)/kernel/arm64-7.2/version)

$(LAB)/kernel/%/btf:
	$(Q)ALLOCSNOOP_LAB=$(LAB) tools/fetch-lab.sh kernel $*

$(O)/tools/gen_vmlinux: tools/gen_vmlinux.c Makefile
	$(call msg,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu11 $(CFLAGS) $(WARN) -o $@ $< -lbpf -lelf -lz

.PHONY: vmlinux
vmlinux: $(O)/tools/gen_vmlinux $(BTF_x86) $(BTF_arm64) ## generate vmlinux/*/vmlinux.h from vmlinux/types.txt
	$(Q)$< x86 $(BTF_x86) vmlinux/types.txt $(RELEASE_x86) > $(O)/vmlinux.x86 && mv $(O)/vmlinux.x86 vmlinux/x86/vmlinux.h
	$(Q)$< arm64 $(BTF_arm64) vmlinux/types.txt $(RELEASE_arm64) > $(O)/vmlinux.arm64 && mv $(O)/vmlinux.arm64 vmlinux/arm64/vmlinux.h

# The program tells them itself. In a cross build RUN is what runs it: qemu-aarch64, say.
RUN ?=
SHELL_FILES := $(O)/share/bash-completion/completions/allocsnoop $(O)/share/zsh/site-functions/_allocsnoop \
	$(O)/share/fish/vendor_completions.d/allocsnoop.fish
MAN_PAGE := $(O)/share/man/man8/allocsnoop.8

$(SHELL_FILES): $(O)/share/%: $(O)/allocsnoop
	$(call msg,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(RUN) $< completion $(firstword $(subst -, ,$(subst /, ,$*))) > $@

$(MAN_PAGE): $(O)/allocsnoop
	$(call msg,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(RUN) $< man > $@

install: $(O)/allocsnoop $(SHELL_FILES) $(MAN_PAGE) ## the program, its manual page, completions, a systemd unit; PREFIX= DESTDIR=
	install -D -m 0755 $(O)/allocsnoop $(DESTDIR)$(PREFIX)/bin/allocsnoop
	for file in $(SHELL_FILES:$(O)/%=%) $(MAN_PAGE:$(O)/%=%); do \
		install -D -m 0644 $(O)/$$file $(DESTDIR)$(PREFIX)/$$file || exit 1; \
	done
	install -D -m 0755 tools/systemd/keep-recording $(DESTDIR)$(PREFIX)/libexec/allocsnoop/keep-recording
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|g' tools/systemd/allocsnoop-record@.service.in > $(DESTDIR)$(PREFIX)/lib/systemd/system/allocsnoop-record@.service
	chmod 0644 $(DESTDIR)$(PREFIX)/lib/systemd/system/allocsnoop-record@.service

deb: $(O)/allocsnoop ## a Debian package, $(O)/allocsnoop_VERSION_ARCH.deb
	$(Q)tools/deb/build.sh $(O) $(VERSION) $(VERSION_DATE)

clean: ## remove $(O)
	rm -rf $(O)

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | sed 's/$$(O)/.output/g' | expand -t 24

-include $(FUZZ_LIB_OBJ:.o=.d) $(FUZZ_BIN:=.d) $(LIB_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(O)/static/user/sym/debuginfod.d $(O)/static/user/store/db.d $(UNIT_BIN:=.d) $(O)/tools/bench/floor.d $(O)/tools/bench/return.d $(O)/bpf/allocsnoop.bpf.d $(O)/bpf/calib.bpf.d
