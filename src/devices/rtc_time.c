/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdbool.h>

#include "devices/rtc_time.h"

static bool is_leap(unsigned int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned int days_in_month(unsigned int year, unsigned int month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/* Days from the start of year 0, itself a leap year, to the start of @p year. */
static uint32_t days_before_year(unsigned int year)
{
	if (year == 0)
		return 0;
	return year * 365 + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1;
}

static unsigned int clamp(unsigned int value, unsigned int low, unsigned int high)
{
	return value < low ? low : value > high ? high : value;
}

void v3_rtc_date_of(uint64_t seconds, struct v3_rtc_date *date)
{
	uint32_t second = (uint32_t)(seconds % V3_SEC_PER_DAY);
	uint32_t day = (uint32_t)(seconds % V3_RTC_END / V3_SEC_PER_DAY);
	unsigned int year = (unsigned int)((uint64_t)day * 400 / 146097), month = 1;

	date->weekday = (uint8_t)((day + 6) % 7 + 1);	/* year 0 began on a Saturday */
	/* The quotient is at most one year off. */
	while (days_before_year(year + 1) <= day)
		year++;
	while (days_before_year(year) > day)
		year--;
	day -= days_before_year(year);
	while (day >= days_in_month(year, month))
		day -= days_in_month(year, month++);
	date->second = (uint8_t)(second % 60);
	date->minute = (uint8_t)(second / 60 % 60);
	date->hour = (uint8_t)(second / 3600);
	date->day = (uint8_t)(day + 1);
	date->month = (uint8_t)month;
	date->year = (uint8_t)(year % 100);
	date->century = (uint8_t)(year / 100);
}

uint64_t v3_rtc_seconds_of(const struct v3_rtc_date *date)
{
	unsigned int year = clamp(date->century, 0, 99) * 100 + clamp(date->year, 0, 99);
	unsigned int month = clamp(date->month, 1, 12), i;
	uint64_t days = days_before_year(year);

	for (i = 1; i < month; i++)
		days += days_in_month(year, i);
	days += clamp(date->day, 1, days_in_month(year, month)) - 1;
	return days * V3_SEC_PER_DAY + clamp(date->hour, 0, 23) * 3600 +
		clamp(date->minute, 0, 59) * 60 + clamp(date->second, 0, 59);
}
