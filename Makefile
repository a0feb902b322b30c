# earshot: make deps | make | make run | make test | make test-all | make install | make sanitize | make bench | make help
VERSION := 0.1.0
PREFIX  ?= /usr/local
BUILD   ?= build
CC      ?= cc
PKG_CONFIG ?= pkg-config

# What it is built with; Debian names. RUN_PACKAGES are needed by the tests alone.
BUILD_PACKAGES := build-essential pkg-config portaudio19-dev libasound2-dev libsamplerate0-dev libkissfft-dev \
	libmosquitto-dev libsystemd-dev libxnnpack-dev libpthreadpool-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev \
	libsndfile1-dev libinih-dev libjansson-dev
TEST_PACKAGES := libcmocka-dev mosquitto mosquitto-clients openssl python3 procps

PKGS := portaudio-2.0 alsa samplerate kissfft-float libmosquitto libsystemd libprotobuf-c sndfile inih jansson

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
endif
CPPFLAGS += -D_GNU_SOURCE -DEARSHOT_VERSION='"$(VERSION)"' -DEARSHOT_PREFIX='"$(PREFIX)"' -Icommon -I$(BUILD)/gen
# -fno-math-errno lets the compiler vectorise; no -ffast-math: NaN checks must stay
CFLAGS   += -std=c11 $(OPT) $(WARN) -pthread -fno-math-errno $(SANFLAGS) $(EXTRA_CFLAGS)
LDFLAGS  += -pthread $(SANFLAGS)
# = and not :=, so that `make deps` works where nothing is installed yet
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS   = $(shell $(PKG_CONFIG) --libs $(PKGS))
LIBS       = $(PKG_LIBS) -lXNNPACK -lpthreadpool -ldl -lm

COMMON_SRC := $(wildcard common/*/*.c)
DAEMON_SRC := $(filter-out daemon/main.c,$(wildcard daemon/*.c daemon/*/*.c))
TEST_SRC   := $(wildcard tests/test_*.c)
COMMON_OBJ := $(COMMON_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/gen/onnx.pb-c.o
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(BUILD)/obj/%.o)
TESTS      := $(TEST_SRC:tests/%.c=$(BUILD)/tests/%)
DEPS       := $(COMMON_OBJ:.o=.d) $(DAEMON_OBJ:.o=.d) $(BUILD)/obj/daemon/main.d $(TESTS:$(BUILD)/tests/%=$(BUILD)/obj/tests/%.d)

.PHONY: all deps run test test-all unit-tests install sanitize bench format lint clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/earshot

$(BUILD)/earshot: $(BUILD)/obj/daemon/main.o $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/libcommon.a: $(COMMON_OBJ)
$(BUILD)/libdaemon.a: $(DAEMON_OBJ)
$(BUILD)/%.a:
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/obj/%.o: %.c $(BUILD)/gen/onnx.pb-c.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) $(if $(filter daemon/% tests/%,$<),-I.) -MMD -MP -c -o $@ $<

# The schema that libonnx-dev installs. Generated code: its warnings are not ours.
ONNX_PROTO_DIR ?= $(shell for d in /usr/include/onnx $(PREFIX)/include/onnx; do test -e $$d/onnx.proto && echo $$d && break; done)
$(BUILD)/gen/onnx.pb-c.h: | $(BUILD)/gen
	protoc-c -I$(ONNX_PROTO_DIR) --c_out=$(BUILD)/gen $(ONNX_PROTO_DIR)/onnx.proto
$(BUILD)/gen/onnx.pb-c.c: $(BUILD)/gen/onnx.pb-c.h ;
$(BUILD)/gen:
	@mkdir -p $@
$(BUILD)/obj/gen/onnx.pb-c.o: $(BUILD)/gen/onnx.pb-c.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -w -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

unit-tests: $(TESTS)

-include $(wildcard $(DEPS))

clean:
	rm -rf $(BUILD)
