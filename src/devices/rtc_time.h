/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calendar of the RTC: seconds since the start of year 0 (proleptic Gregorian), so that every date
 * its registers can hold is a number that is not negative.
 */
#ifndef V3_DEVICES_RTC_TIME_H
#define V3_DEVICES_RTC_TIME_H

#include <stdint.h>

#define V3_SEC_PER_DAY 86400u
/** 1970-01-01 00:00:00 in seconds since year 0. */
#define V3_RTC_UNIX_EPOCH (719528ull * V3_SEC_PER_DAY)
/** The first second that a year of four digits cannot express: 10000-01-01. */
#define V3_RTC_END (3652425ull * V3_SEC_PER_DAY)

struct v3_rtc_date {
	uint8_t second, minute, hour;
	uint8_t weekday;	/**< 1: Sunday */
	uint8_t day, month;	/**< from 1 */
	uint8_t year, century;	/**< 0 to 99 each */
};

/** The date of @p seconds; years wrap at 10000. */
void v3_rtc_date_of(uint64_t seconds, struct v3_rtc_date *date);
/** Seconds of a date without its weekday; fields out of range count as the nearest in range. */
uint64_t v3_rtc_seconds_of(const struct v3_rtc_date *date);

#endif
