# earshot: make deps | make | make run | make test | make test-long | make test-all | make install | make sanitize | make bench | make compare | make lint | make fuzz | make help
VERSION := 0.1.0
PREFIX  ?= /usr/local
BUILD   ?= build
# V=1 shows the commands
Q := $(if $(V),,@)
CC      ?= cc
PKG_CONFIG ?= pkg-config

# What it is built with, by Debian's names; then what `make test`, `test-all`, `bench` and `lint` need besides.
BUILD_PACKAGES := build-essential pkg-config portaudio19-dev libasound2-dev libsamplerate0-dev libkissfft-dev \
	libmosquitto-dev libsystemd-dev libxnnpack-dev libpthreadpool-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev \
	libsndfile1-dev libinih-dev libjansson-dev libcurl4-openssl-dev libsqlite3-dev libmicrohttpd-dev libgnutls28-dev libqrencode-dev libseccomp-dev
TEST_PACKAGES := libcmocka-dev mosquitto mosquitto-clients python3 sox
LONG_PACKAGES := curl ffmpeg libsox-fmt-mp3 openssl procps pulseaudio pulseaudio-utils libasound2-plugins debootstrap \
	systemd systemd-container iproute2 strace python3-numpy python3-scipy python3-onnx python3-torch libopenblas0-pthread \
	espeak-ng parallel python3-voluptuous python3-jinja2 python3-yaml python3-jsonschema \
	postgresql python3-psycopg2 python3-paho-mqtt \
	chromium fonts-dejavu-core nodejs $(if $(wildcard /usr/bin/npm),,npm)
BENCH_PACKAGES := mosquitto python3
COMPARE_PACKAGES := python3-torch python3-onnx python3-scipy libopenblas0-pthread
LINT_PACKAGES := clang-format clang-tidy cppcheck
FUZZ_PACKAGES := clang libclang-rt-dev

# System tests (tests/system/NAME.sh), and the unit tests that run threads. WAITING: their time goes by in sleeps, each has ports and
# folders of its own, so four of them run at a time; COMPUTING: one processor each; TREES and LAST: two at a time. The longest first.
QUICK_NAMES := daemon commands teach clips classify evaluate_stream evaluate actions bad_input archive sounds layout history level plot dataset
WAITING_NAMES   := service web fleet webhook mqtt store homeassistant microphone teach_record capture ears web_live web_load
COMPUTING_NAMES := train learn calibrate import soundscape compare web_upload
TREES_NAMES := arm64 tree
LAST_NAMES  := browser units
THREADED_NAMES := ring_stress capture control outputs mqtt_queue store pipeline service actions clip_recorder live_tap upload web_server live_ring
SANITIZED_SYSTEM := tests/system/daemon.sh

PKGS := portaudio-2.0 alsa samplerate kissfft-float libmosquitto libsystemd libprotobuf-c sndfile inih jansson sqlite3 libmicrohttpd gnutls libqrencode libseccomp

WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
ifeq ($(WERROR),1)
WARN   += -Werror
endif
OPT    ?= -O2 -g
# SAN=asan or SAN=tsan: instrumented objects in their own folder
ifeq ($(SAN),asan)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT      := -O1 -g
else ifeq ($(SAN),tsan)
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer
OPT      := -O1 -g
else ifeq ($(SAN),fuzz)
SANFLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT      := -O1 -g
endif
CPPFLAGS += -D_GNU_SOURCE -DEARSHOT_VERSION='"$(VERSION)"' -DEARSHOT_PREFIX='"$(PREFIX)"' -Icommon -I$(BUILD)/gen
# -fno-math-errno lets the compiler vectorise; no -ffast-math: NaN checks must stay
CFLAGS   += -std=c11 $(OPT) $(WARN) -pthread -fno-math-errno $(SANFLAGS) $(EXTRA_CFLAGS)
LDFLAGS  += -pthread $(SANFLAGS)
# Asked for once, and only when first used: `make deps` works where nothing is installed yet
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell $$(PKG_CONFIG) --cflags $$(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell $$(PKG_CONFIG) --libs $$(PKGS)))$(PKG_LIBS)
LIBS       = $(PKG_LIBS) -lXNNPACK -lpthreadpool -ldl -lm

COMMON_SRC := $(wildcard common/*/*.c)
# daemon/helpers: programs of their own, with libraries that the daemon does not carry
DAEMON_SRC := $(filter-out daemon/main.c daemon/helpers/%,$(wildcard daemon/*.c daemon/*/*.c))
HELPERS    := $(BUILD)/earshot-webhook
TEST_SRC   := $(wildcard tests/test_*.c)
COMMON_OBJ := $(COMMON_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/gen/onnx.pb-c.o
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/gen/web_files.o
# The page: plain files, built in as they are
WEB_FILES  := $(sort $(wildcard daemon/web/*))
TESTS      := $(TEST_SRC:tests/%.c=$(BUILD)/tests/%)
DEPS       := $(COMMON_OBJ:.o=.d) $(DAEMON_OBJ:.o=.d) $(BUILD)/obj/daemon/main.d $(TESTS:$(BUILD)/tests/%=$(BUILD)/obj/tests/%.d)

.PHONY: all train-s deps run test test-long test-all unit-tests install uninstall sanitize sanitize-build fuzz bench compare format lint clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/earshot $(HELPERS)

$(BUILD)/earshot: $(BUILD)/obj/daemon/main.o $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
	@echo "  LD   $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

HELPER_PKGS := libcurl jansson
HELPER_CFLAGS = $(eval HELPER_CFLAGS := $$(shell $$(PKG_CONFIG) --cflags $$(HELPER_PKGS)))$(HELPER_CFLAGS)
HELPER_LIBS   = $(eval HELPER_LIBS := $$(shell $$(PKG_CONFIG) --libs $$(HELPER_PKGS)))$(HELPER_LIBS)
$(BUILD)/obj/daemon/helpers/%.o: PKG_CFLAGS = $(HELPER_CFLAGS)
$(BUILD)/earshot-%: $(BUILD)/obj/daemon/helpers/%.o
	@echo "  LD   $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(HELPER_LIBS)

$(BUILD)/libcommon.a: $(COMMON_OBJ)
$(BUILD)/libdaemon.a: $(DAEMON_OBJ)
$(BUILD)/%.a:
	@rm -f $@
	@echo "  AR   $@"
	$(Q)$(AR) rcs $@ $^

# Objects are built anew when the flags change (WERROR=1, another PREFIX), not only when the sources do.
FLAGS = $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
$(BUILD)/flags: FORCE
	@command -v $(firstword $(CC)) >/dev/null && command -v protoc-c >/dev/null && test -n '$(ONNX_PROTO)' && \
		$(PKG_CONFIG) --exists $(PKGS) $(HELPER_PKGS) 2>/dev/null || { \
		echo 'earshot: compiler, libraries or headers that it is built with are missing: `make deps` installs them' >&2; \
		exit 1; }
	@mkdir -p $(@D); echo '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS))' >$@

$(BUILD)/obj/%.o: %.c $(BUILD)/flags $(BUILD)/gen/onnx.pb-c.h
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) $(if $(filter daemon/% tests/%,$<),-I.) -MMD -MP -c -o $@ $<

# gcc 12 vectorises next to nothing at -O2
ifeq ($(SAN),)
$(BUILD)/obj/common/audio/%.o $(BUILD)/obj/common/features/%.o $(BUILD)/obj/common/train/%.o: CFLAGS += -O3
endif
# instrumented as well: its sums take ten times as long otherwise
$(BUILD)/obj/common/teach/%.o: CFLAGS += -O3

# The schema that libonnx-dev installs. Generated code: its warnings are not ours.
ONNX_PROTO ?= $(firstword $(wildcard /usr/include/onnx/onnx.proto $(PREFIX)/include/onnx/onnx.proto))
$(BUILD)/gen/onnx.pb-c.h: | $(BUILD)/gen $(BUILD)/flags
	@echo "  GEN  $@"
	$(Q)protoc-c -I$(dir $(ONNX_PROTO)) --c_out=$(BUILD)/gen $(ONNX_PROTO)
$(BUILD)/gen/onnx.pb-c.c: $(BUILD)/gen/onnx.pb-c.h ;
$(BUILD)/gen:
	@mkdir -p $@
$(BUILD)/obj/gen/onnx.pb-c.o: $(BUILD)/gen/onnx.pb-c.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -MMD -MP -c -o $@ $<

$(BUILD)/gen/web_files.c: daemon/http/files.sh $(WEB_FILES) | $(BUILD)/gen
	@echo "  GEN  $@"
	$(Q)daemon/http/files.sh $(WEB_FILES) >$@
$(BUILD)/obj/gen/web_files.o: $(BUILD)/gen/web_files.c daemon/http/files.h $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -I. -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

unit-tests: $(TESTS) $(HELPERS) $(BUILD)/tests/fleet_load $(BUILD)/tests/web_load

-include $(wildcard $(DEPS))

# --- set-up -----------------------------------------------------------------------------------------------------------
# Installs what is missing, and only then asks for root. `make run` needs BUILD_PACKAGES, `make test` both.
deps:
	@tests/deps.sh $(BUILD_PACKAGES) $(TEST_PACKAGES)

.PHONY: deps-run deps-bench deps-lint deps-all print-packages
deps-run:
	@tests/deps.sh $(BUILD_PACKAGES)
deps-bench:
	@tests/deps.sh $(BUILD_PACKAGES) $(BENCH_PACKAGES)
deps-lint:
	@tests/deps.sh $(LINT_PACKAGES)
deps-all:
	@tests/deps.sh $(BUILD_PACKAGES) $(TEST_PACKAGES) $(LONG_PACKAGES)
print-packages:
	@echo $(BUILD_PACKAGES) $(TEST_PACKAGES)

# The targets below build by a second make, since this one may have looked for libraries before deps had installed
# them. As many jobs as there are processors, unless -j says otherwise.
JOBS ?= $(shell nproc)
PARALLEL = --no-print-directory -s $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

# --- run --------------------------------------------------------------------------------------------------------------
# The default microphone, or INPUT=...; the demo recording where the machine has no capture device at all.
run: deps-run
	@$(MAKE) $(PARALLEL) all
	@$(BUILD)/earshot run $(if $(INPUT),--input '$(INPUT)',--or-demo) $(ARGS)

# --- tests ------------------------------------------------------------------------------------------------------------
# A name is tests/test_NAME.c, or tests/system/NAME.sh. QUICK needs no root and no device; the others take more of both.
scripts = $(filter $(wildcard tests/system/*.sh),$(1:%=tests/system/%.sh))
QUICK := $(call scripts,$(QUICK_NAMES))
SLOW  := -j 4 $(call scripts,$(WAITING_NAMES)) -j $(JOBS) $(call scripts,$(COMPUTING_NAMES)) -j 2 $(call scripts,$(TREES_NAMES)) \
	-j 2 $(call scripts,$(LAST_NAMES))

test: deps
	@$(MAKE) $(PARALLEL) all unit-tests
	@EARSHOT=$(abspath $(BUILD))/earshot tests/run.sh -j $(JOBS) $(QUICK) $(TESTS)

# What `make test` leaves out
test-long: deps-all
	@$(MAKE) $(PARALLEL) all unit-tests
	@EARSHOT=$(abspath $(BUILD))/earshot tests/run.sh $(SLOW)

test-all: deps-all
	@$(MAKE) $(PARALLEL) all unit-tests
	@EARSHOT=$(abspath $(BUILD))/earshot tests/run.sh -j $(JOBS) $(QUICK) $(TESTS) $(SLOW)

sanitize-build: deps
	@$(MAKE) $(PARALLEL) SAN=asan BUILD=$(BUILD)/asan all unit-tests
	@$(MAKE) $(PARALLEL) SAN=tsan BUILD=$(BUILD)/tsan all $(THREADED:tests/%.c=$(BUILD)/tsan/tests/%)

# ASan and UBSan over all unit tests and the quick system tests, TSan over those that run threads.
THREADED := $(filter $(THREADED_NAMES:%=tests/test_%.c),$(TEST_SRC))
sanitize: sanitize-build
	@EARSHOT=$(abspath $(BUILD))/asan/earshot SANITIZED=asan LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp tests/run.sh -j $(JOBS) $(QUICK) $(TEST_SRC:tests/%.c=$(BUILD)/asan/tests/%)
	@EARSHOT=$(abspath $(BUILD))/tsan/earshot SANITIZED=tsan tests/run.sh -j $(JOBS) $(SANITIZED_SYSTEM) $(THREADED:tests/%.c=$(BUILD)/tsan/tests/%)

# libFuzzer: each tests/fuzz_NAME.c for SECONDS. build/fuzz/corpus keeps what it learned.
SECONDS ?= 60
FUZZ := $(patsubst tests/%.c,%,$(wildcard tests/fuzz_*.c))
$(BUILD)/tests/fuzz_%: $(BUILD)/obj/tests/fuzz_%.o $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

fuzz: deps
	@tests/deps.sh $(FUZZ_PACKAGES)
	@$(MAKE) $(PARALLEL) CC=clang SAN=fuzz BUILD=$(BUILD)/fuzz $(FUZZ:%=$(BUILD)/fuzz/tests/%)
	@$(MAKE) $(PARALLEL) $(BUILD)/tests/test_operators $(BUILD)/tests/test_elementwise $(BUILD)/tests/test_quantised
	@tests/fuzz.sh $(BUILD) $(SECONDS) $(FUZZ)

# Hours: models/train_s.sh says what it does and what it can be told; build/train keeps what it has done.
train-s: deps all
	@tests/deps.sh $(COMPARE_PACKAGES) espeak-ng
	@models/train_s.sh

bench: deps-bench
	@$(MAKE) $(PARALLEL) all $(BUILD)/tests/bench
	@EARSHOT=$(abspath $(BUILD))/earshot BENCH=$(abspath $(BUILD))/tests/bench tests/bench.sh

# Would 8-bit arithmetic be faster here? Of MODEL, layer by layer (models/README.md holds the figures found)
MODEL ?= models/earshot-s.onnx
.PHONY: bench-int8
bench-int8: deps
	@$(MAKE) $(PARALLEL) $(BUILD)/tests/bench_int8
	@$(BUILD)/tests/bench_int8 $(MODEL)

# All recognisers that there are to compare on the same official folds of ESC-50 and UrbanSound8K; models/README.md says what has to
# lie in SHARED, and what is made once. ARGS="--only earshot-s,us8k-nrdt" does these alone.
SHARED ?= ../shared
compare: deps-run
	@tests/deps.sh $(COMPARE_PACKAGES)
	@$(MAKE) $(PARALLEL) all
	@models/compare.py $(SHARED) --earshot $(BUILD)/earshot --work $(BUILD)/compare $(ARGS)

# --- style ------------------------------------------------------------------------------------------------------------
C_FILES := $(wildcard common/*/*.[ch] daemon/*.[ch] daemon/*/*.[ch] tests/*.[ch] tests/*/*.[ch])
format: deps-lint
	clang-format -i $(C_FILES)

# A stamp for each file that clang-tidy (.clang-tidy) found clean.
TIDY := $(patsubst %,$(BUILD)/lint/%.ok,$(COMMON_SRC) $(DAEMON_SRC) daemon/main.c)
$(BUILD)/lint/%.ok: % .clang-tidy $(filter %.h,$(C_FILES)) $(BUILD)/gen/onnx.pb-c.h
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- -std=c11 $(CPPFLAGS) $(PKG_CFLAGS) -I. 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

lint: deps deps-lint
	@$(MAKE) $(PARALLEL) $(BUILD)/gen/onnx.pb-c.h
	clang-format --dry-run -Werror $(C_FILES)
	cppcheck --quiet --std=c11 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
		-j $(JOBS) --suppress=missingIncludeSystem -D_GNU_SOURCE -DEARSHOT_VERSION='""' -DEARSHOT_PREFIX='""' \
		'-Djson_array_foreach(a,i,v)=while ((v = json_array_get(a, i)) && i++)' \
		'-Djson_object_foreach(o,k,v)=while ((v = json_object_get(o, k)))' -Icommon -I. common daemon
	@$(MAKE) $(PARALLEL) -k $(TIDY)

# --- install ----------------------------------------------------------------------------------------------------------
SYSCONFDIR ?= /etc
# systemd looks in /usr/local/lib as well as in /usr/lib
UNITDIR    ?= $(PREFIX)/lib/systemd
SHARE      := $(PREFIX)/share/earshot
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(SHARE)/models $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(SYSCONFDIR)/earshot $(DESTDIR)$(UNITDIR)/system \
		$(DESTDIR)$(UNITDIR)/user $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/libexec/earshot
	install -m 755 $(BUILD)/earshot $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(HELPERS) $(DESTDIR)$(PREFIX)/libexec/earshot/
	install -m 644 models/labels.csv models/LICENSE $(wildcard models/*.onnx models/*.background models/*.flac models/*.md) \
		$(DESTDIR)$(SHARE)/models/
	install -m 644 conf/man/earshot.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 conf/man/earshot.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 conf/earshot.conf $(DESTDIR)$(SHARE)/earshot.conf
	test -e $(DESTDIR)$(SYSCONFDIR)/earshot/earshot.conf || \
		install -m 644 conf/earshot.conf $(DESTDIR)$(SYSCONFDIR)/earshot/earshot.conf
	sed 's|@PREFIX@|$(PREFIX)|g' systemd/earshot.service >$(DESTDIR)$(UNITDIR)/system/earshot.service
	install -m 644 systemd/earshot.socket $(DESTDIR)$(UNITDIR)/system/earshot.socket
	sed -f systemd/instance.sed -e 's|@PREFIX@|$(PREFIX)|g' systemd/earshot.service \
		>$(DESTDIR)$(UNITDIR)/system/earshot@.service
	sed 's|@PREFIX@|$(PREFIX)|g' systemd/earshot-user.service >$(DESTDIR)$(UNITDIR)/user/earshot.service
	install -m 644 systemd/earshot.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/earshot.conf
	chmod 644 $(DESTDIR)$(UNITDIR)/system/earshot.service $(DESTDIR)$(UNITDIR)/system/earshot@.service \
		$(DESTDIR)$(UNITDIR)/user/earshot.service

# Leaves the configuration and the state directory.
uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/bin/earshot $(DESTDIR)$(PREFIX)/libexec/earshot $(DESTDIR)$(SHARE) $(DESTDIR)$(PREFIX)/share/man/man1/earshot.1 \
		$(DESTDIR)$(PREFIX)/share/man/man5/earshot.conf.5 $(DESTDIR)$(UNITDIR)/system/earshot.service \
		$(DESTDIR)$(UNITDIR)/system/earshot.socket \
		$(DESTDIR)$(UNITDIR)/system/earshot@.service $(DESTDIR)$(UNITDIR)/user/earshot.service \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/earshot.conf

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^# earshot: //p' Makefile
