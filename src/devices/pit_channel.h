/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One counter of an 8254, as a function of time: nothing here knows of VMs, locks or timers.
 * Times are in ticks of the counter's clock. Intel 8254 data sheet (231164).
 */
#ifndef V3_DEVICES_PIT_CHANNEL_H
#define V3_DEVICES_PIT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

/** No such time. */
#define V3_PIT_NEVER INT64_MAX

/** Owned by the device, guarded by its lock. */
struct v3_pit_channel {
	uint8_t control;	/**< bits 5:0 of the last control word, as read back */
	uint8_t mode;		/**< 0 to 5 */
	uint8_t access;		/**< 1: low byte, 2: high byte, 3: low, then high */
	bool bcd;
	bool gate;

	bool running;		/**< the counting element was loaded (modes 1, 5: triggered) */
	bool loaded;		/**< a whole count was written since the control word */
	bool paused;		/**< by the gate, at paused_at */
	bool pending;		/**< next_reload waits for a trigger or for switch_at */
	bool switch_low;	/**< mode 3: at switch_at OUT goes low, not high */
	uint32_t reload;	/**< 1 to 65536 (BCD: 10000) */
	uint32_t next_reload;
	int64_t start;		/**< when the counting element holds (held) reload */
	int64_t paused_at;
	int64_t switch_at;

	bool write_high;	/**< access 3: the high byte is next */
	bool read_high;
	uint8_t write_low;
	bool latched;
	bool status_latched;
	uint16_t latch;
	uint8_t status_latch;
};

void v3_pit_channel_reset(struct v3_pit_channel *ch, bool gate);
/** A control word for this channel with access bits 1 to 3. */
void v3_pit_channel_control(struct v3_pit_channel *ch, uint8_t word);
/** Counter latch command; ignored while a latched count is unread. */
void v3_pit_channel_latch(struct v3_pit_channel *ch, int64_t now);
/** Status latch (read-back command); ignored while a latched status is unread. */
void v3_pit_channel_latch_status(struct v3_pit_channel *ch, int64_t now);
void v3_pit_channel_write(struct v3_pit_channel *ch, int64_t now, uint8_t byte);
uint8_t v3_pit_channel_read(struct v3_pit_channel *ch, int64_t now);
void v3_pit_channel_set_gate(struct v3_pit_channel *ch, int64_t now, bool gate);
bool v3_pit_channel_out(struct v3_pit_channel *ch, int64_t now);
/** When OUT next rises, later than @p now; V3_PIT_NEVER if it won't by itself. */
int64_t v3_pit_channel_next_edge(struct v3_pit_channel *ch, int64_t now);

#endif
