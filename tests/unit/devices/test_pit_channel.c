/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting of one 8254 channel, mode by mode, tick by tick. */
#include "device_test.h"

#include "devices/pit_channel.h"

static struct v3_pit_channel ch;

/* A channel with that control word and count, written at tick @at. */
static void program(uint8_t word, uint16_t count, int64_t at)
{
	v3_pit_channel_control(&ch, word);
	if ((word & 0x30) != 0x20)
		v3_pit_channel_write(&ch, at, (uint8_t)count);
	if ((word & 0x30) != 0x10)
		v3_pit_channel_write(&ch, at, (uint8_t)(count >> 8));
}

static uint16_t count16(int64_t now)
{
	uint8_t low;

	v3_pit_channel_latch(&ch, now);
	low = v3_pit_channel_read(&ch, now);
	return (uint16_t)(low | v3_pit_channel_read(&ch, now) << 8);
}

static int setup(void **state)
{
	v3_pit_channel_reset(&ch, true);
	return 0;
}

/* OUT at ticks [from, from+n) as a string of 0 and 1. */
static void assert_out(int64_t from, const char *expected)
{
	char got[64] = "";
	size_t i;

	for (i = 0; i < strlen(expected); i++)
		got[i] = v3_pit_channel_out(&ch, from + (int64_t)i) ? '1' : '0';
	assert_string_equal(got, expected);
}

static void test_mode0_one_shot(void **state)
{
	v3_pit_channel_control(&ch, 0x30);
	assert_false(v3_pit_channel_out(&ch, 0));
	program(0x30, 4, 100);
	/* Loaded at 101: 4, 3, 2, 1, 0, then on from the top. */
	assert_int_equal(count16(101), 4);
	assert_int_equal(count16(104), 1);
	assert_int_equal(count16(105), 0);
	assert_int_equal(count16(106), 0xffff);
	assert_out(101, "00001111");
	assert_int_equal(v3_pit_channel_next_edge(&ch, 100), 105);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 105), V3_PIT_NEVER);
	assert_true(v3_pit_channel_out(&ch, 100 + 70000));
}

static void test_mode0_first_byte_stops(void **state)
{
	program(0x30, 4, 100);
	assert_true(v3_pit_channel_out(&ch, 110));
	v3_pit_channel_write(&ch, 110, 0x08);
	assert_false(v3_pit_channel_out(&ch, 200));
	assert_int_equal(v3_pit_channel_next_edge(&ch, 200), V3_PIT_NEVER);
	v3_pit_channel_write(&ch, 300, 0x00);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 300), 309);
}

static void test_mode0_gate_pauses(void **state)
{
	program(0x30, 10, 0);
	v3_pit_channel_set_gate(&ch, 4, false);
	assert_int_equal(count16(500), 7);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 500), V3_PIT_NEVER);
	v3_pit_channel_set_gate(&ch, 1000, true);
	assert_int_equal(count16(1000), 7);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 1000), 1007);
	/* A count written while the gate is low waits for it. */
	v3_pit_channel_set_gate(&ch, 2000, false);
	program(0x30, 10, 2000);
	assert_int_equal(count16(3000), 10);
	v3_pit_channel_set_gate(&ch, 3000, true);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 3000), 3010);
}

static void test_mode1_needs_trigger(void **state)
{
	v3_pit_channel_reset(&ch, false);
	program(0x32, 5, 0);
	assert_true(v3_pit_channel_out(&ch, 50));
	assert_int_equal(v3_pit_channel_next_edge(&ch, 50), V3_PIT_NEVER);
	v3_pit_channel_set_gate(&ch, 100, true);
	assert_out(101, "000001");
	assert_int_equal(v3_pit_channel_next_edge(&ch, 101), 106);
	/* A falling gate changes nothing; a rising one starts anew. */
	v3_pit_channel_set_gate(&ch, 103, false);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 103), 106);
	v3_pit_channel_set_gate(&ch, 104, true);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 104), 110);
	/* A new count is for the next trigger. */
	v3_pit_channel_write(&ch, 105, 2);
	v3_pit_channel_write(&ch, 105, 0);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 105), 110);
	v3_pit_channel_set_gate(&ch, 120, false);
	v3_pit_channel_set_gate(&ch, 121, true);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 121), 124);
}

static void test_mode1_gate_without_count(void **state)
{
	v3_pit_channel_reset(&ch, false);
	v3_pit_channel_control(&ch, 0x32);
	v3_pit_channel_set_gate(&ch, 1, true);
	assert_true(v3_pit_channel_out(&ch, 100));
	assert_int_equal(v3_pit_channel_next_edge(&ch, 100), V3_PIT_NEVER);
}

static void test_mode2_rate(void **state)
{
	program(0x34, 4, 0);
	assert_out(1, "111011101110");
	assert_int_equal(count16(1), 4);
	assert_int_equal(count16(4), 1);
	assert_int_equal(count16(5), 4);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 0), 5);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 5), 9);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 4000001), 4000005);
}

static void test_mode2_new_count_waits(void **state)
{
	program(0x34, 10, 0);
	v3_pit_channel_write(&ch, 3, 4);
	v3_pit_channel_write(&ch, 3, 0);
	v3_pit_channel_latch_status(&ch, 3);
	assert_int_equal(v3_pit_channel_read(&ch, 3), 0xc0 | 0x34);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 3), 11);
	assert_int_equal(count16(10), 1);
	assert_int_equal(count16(11), 4);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 11), 15);
	v3_pit_channel_latch_status(&ch, 12);
	assert_int_equal(v3_pit_channel_read(&ch, 12), 0x80 | 0x34);
	/* Written in the very tick of the load. */
	program(0x34, 10, 100);
	v3_pit_channel_write(&ch, 100, 3);
	v3_pit_channel_write(&ch, 100, 0);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 100), 111);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 111), 114);
}

static void test_mode2_gate(void **state)
{
	program(0x34, 4, 0);
	assert_false(v3_pit_channel_out(&ch, 4));
	v3_pit_channel_set_gate(&ch, 4, false);
	assert_true(v3_pit_channel_out(&ch, 4));
	assert_int_equal(count16(100), 1);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 100), V3_PIT_NEVER);
	v3_pit_channel_set_gate(&ch, 200, true);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 200), 205);
	/* With the gate low a count is taken by the rising gate. */
	v3_pit_channel_set_gate(&ch, 300, false);
	v3_pit_channel_write(&ch, 301, 7);
	v3_pit_channel_write(&ch, 301, 0);
	v3_pit_channel_set_gate(&ch, 400, true);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 400), 408);
}

static void test_mode3_even(void **state)
{
	program(0x36, 6, 0);
	assert_out(1, "111000111000");
	assert_int_equal(count16(1), 6);
	assert_int_equal(count16(2), 4);
	assert_int_equal(count16(3), 2);
	assert_int_equal(count16(4), 6);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 1), 7);
}

static void test_mode3_odd(void **state)
{
	program(0x36, 5, 0);
	assert_out(1, "1110011100");
	assert_int_equal(count16(1), 4);
	assert_int_equal(count16(3), 0);
	assert_int_equal(count16(4), 4);
	assert_int_equal(count16(5), 2);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 1), 6);
}

static void test_mode3_new_count_at_half_cycle(void **state)
{
	/* High 1-5, low 6-10; the new count takes over at 6 with its low half. */
	program(0x36, 10, 0);
	v3_pit_channel_write(&ch, 2, 4);
	v3_pit_channel_write(&ch, 2, 0);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 2), 8);
	assert_out(5, "10011001");
	/* In the low half it takes over with its high half. */
	program(0x36, 10, 100);
	v3_pit_channel_write(&ch, 107, 4);
	v3_pit_channel_write(&ch, 107, 0);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 107), 111);
	assert_out(110, "01100");
}

static void test_mode4_strobe(void **state)
{
	program(0x38, 3, 0);
	assert_out(1, "1110111");
	assert_int_equal(v3_pit_channel_next_edge(&ch, 1), 5);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 5), V3_PIT_NEVER);
	assert_int_equal(count16(5), 0xffff);
}

static void test_mode5_triggered_strobe(void **state)
{
	v3_pit_channel_reset(&ch, false);
	program(0x3a, 3, 0);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 50), V3_PIT_NEVER);
	v3_pit_channel_set_gate(&ch, 100, true);
	assert_out(101, "1110111");
	v3_pit_channel_set_gate(&ch, 102, false);
	assert_false(v3_pit_channel_out(&ch, 104));
}

static void test_modes_6_and_7_are_2_and_3(void **state)
{
	program(0x3c, 4, 0);
	assert_out(1, "11101110");
	v3_pit_channel_latch_status(&ch, 1);
	assert_int_equal(v3_pit_channel_read(&ch, 1) & 0x3f, 0x3c);
	program(0x3e, 4, 100);
	assert_out(101, "11001100");
}

static void test_bcd(void **state)
{
	program(0x31, 0x1234, 0);
	assert_int_equal(count16(1), 0x1234);
	assert_int_equal(count16(36), 0x1199);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 1), 1235);
	assert_int_equal(count16(1236), 0x9999);
	/* 0 counts as 10000. */
	program(0x31, 0, 5000);
	assert_int_equal(count16(5001), 0);
	assert_int_equal(count16(5002), 0x9999);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 5001), 15001);
	/* Digits above 9 do no harm. */
	program(0x31, 0xffff, 20000);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 20001), 20001 + 6665);
}

static void test_count_zero_is_65536(void **state)
{
	program(0x34, 0, 0);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 1), 65537);
	assert_int_equal(count16(1), 0);
	assert_int_equal(count16(2), 0xffff);
}

static void test_shortest_counts(void **state)
{
	program(0x34, 1, 0);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 10), 11);
	program(0x36, 1, 0);
	assert_true(v3_pit_channel_out(&ch, 10));
	assert_int_equal(v3_pit_channel_next_edge(&ch, 10), 11);
	program(0x30, 1, 100);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 100), 102);
}

static void test_single_byte_access(void **state)
{
	program(0x14, 0x20, 0);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 1), 33);
	assert_int_equal(v3_pit_channel_read(&ch, 2), 0x1f);
	assert_int_equal(v3_pit_channel_read(&ch, 3), 0x1e);
	program(0x20, 0x0300, 100);
	assert_int_equal(v3_pit_channel_next_edge(&ch, 101), 101 + 0x300);
	assert_int_equal(v3_pit_channel_read(&ch, 101), 0x03);
	assert_int_equal(v3_pit_channel_read(&ch, 102), 0x02);
}

static void test_latch_holds_until_read(void **state)
{
	program(0x34, 0x1000, 0);
	v3_pit_channel_latch(&ch, 1);
	v3_pit_channel_latch(&ch, 500);	/* ignored: unread */
	assert_int_equal(v3_pit_channel_read(&ch, 600), 0x00);
	assert_int_equal(v3_pit_channel_read(&ch, 700), 0x10);
	assert_int_equal(v3_pit_channel_read(&ch, 0x101), 0x00);
	assert_int_equal(v3_pit_channel_read(&ch, 0x101), 0x0f);
	/* A control word drops a latched count. */
	v3_pit_channel_latch(&ch, 0x200);
	program(0x34, 0x80, 0x300);
	assert_int_equal(count16(0x301), 0x80);
}

static void test_status_comes_before_count(void **state)
{
	program(0x36, 0x1000, 0);
	v3_pit_channel_latch(&ch, 1);
	v3_pit_channel_latch_status(&ch, 1);
	v3_pit_channel_latch_status(&ch, 0x900);	/* ignored: unread */
	assert_int_equal(v3_pit_channel_read(&ch, 2), 0x80 | 0x36);
	assert_int_equal(v3_pit_channel_read(&ch, 2), 0x00);
	assert_int_equal(v3_pit_channel_read(&ch, 2), 0x10);
}

static void test_null_count(void **state)
{
	v3_pit_channel_control(&ch, 0x30);
	v3_pit_channel_latch_status(&ch, 5);
	assert_int_equal(v3_pit_channel_read(&ch, 5), 0x40 | 0x30);
	program(0x30, 10, 10);
	v3_pit_channel_latch_status(&ch, 10);
	assert_int_equal(v3_pit_channel_read(&ch, 10), 0x40 | 0x30);
	v3_pit_channel_latch_status(&ch, 11);
	assert_int_equal(v3_pit_channel_read(&ch, 11), 0x30);
}

/* Every mode, count and moment: the next edge is where OUT really rises. */
static void test_edges_agree_with_out(void **state)
{
	static const uint16_t counts[] = { 1, 2, 3, 4, 5, 16, 17 };
	unsigned int mode, i;
	int64_t now, edge;

	for (mode = 0; mode < 6; mode++) {
		for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			v3_pit_channel_reset(&ch, false);
			program((uint8_t)(0x30 | mode << 1), counts[i], 0);
			v3_pit_channel_set_gate(&ch, 0, true);
			/* In modes 2 and 3 a count of 1 is not allowed: OUT never moves. */
			if (counts[i] == 1 && (mode == 2 || mode == 3))
				continue;
			for (now = 2; now < 60; now++) {
				edge = v3_pit_channel_next_edge(&ch, now - 1);
				if (edge == now) {
					assert_false(v3_pit_channel_out(&ch, now - 1));
					assert_true(v3_pit_channel_out(&ch, now));
				} else {
					assert_false(!v3_pit_channel_out(&ch, now - 1) &&
						     v3_pit_channel_out(&ch, now));
				}
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mode0_one_shot, setup),
		cmocka_unit_test_setup(test_mode0_first_byte_stops, setup),
		cmocka_unit_test_setup(test_mode0_gate_pauses, setup),
		cmocka_unit_test_setup(test_mode1_needs_trigger, setup),
		cmocka_unit_test_setup(test_mode1_gate_without_count, setup),
		cmocka_unit_test_setup(test_mode2_rate, setup),
		cmocka_unit_test_setup(test_mode2_new_count_waits, setup),
		cmocka_unit_test_setup(test_mode2_gate, setup),
		cmocka_unit_test_setup(test_mode3_even, setup),
		cmocka_unit_test_setup(test_mode3_odd, setup),
		cmocka_unit_test_setup(test_mode3_new_count_at_half_cycle, setup),
		cmocka_unit_test_setup(test_mode4_strobe, setup),
		cmocka_unit_test_setup(test_mode5_triggered_strobe, setup),
		cmocka_unit_test_setup(test_modes_6_and_7_are_2_and_3, setup),
		cmocka_unit_test_setup(test_bcd, setup),
		cmocka_unit_test_setup(test_count_zero_is_65536, setup),
		cmocka_unit_test_setup(test_shortest_counts, setup),
		cmocka_unit_test_setup(test_single_byte_access, setup),
		cmocka_unit_test_setup(test_latch_holds_until_read, setup),
		cmocka_unit_test_setup(test_status_comes_before_count, setup),
		cmocka_unit_test_setup(test_null_count, setup),
		cmocka_unit_test_setup(test_edges_agree_with_out, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
