//! The time now, in the ways in which playbooks want it.

use rustle_formats::{Map, Value};

use super::Source;

pub(super) fn gather(_: &Source<'_>, facts: &mut Map) {
    let now = jiff::Zoned::now();
    facts.insert("ansible_date_time".into(), Value::Map(of(&now)));
}

fn of(now: &jiff::Zoned) -> Map {
    let utc = now.with_time_zone(jiff::tz::TimeZone::UTC);
    let epoch = now.timestamp().as_second().to_string();
    let micro = now.timestamp().subsec_microsecond();
    let mut map = Map::new();
    let mut put = |name: &str, value: String| {
        map.insert(name.to_owned(), value.into());
    };
    put("year", now.strftime("%Y").to_string());
    put("month", now.strftime("%m").to_string());
    put("weekday", now.strftime("%A").to_string());
    put("weekday_number", now.strftime("%w").to_string());
    put("weeknumber", now.strftime("%W").to_string());
    put("day", now.strftime("%d").to_string());
    put("hour", now.strftime("%H").to_string());
    put("minute", now.strftime("%M").to_string());
    put("second", now.strftime("%S").to_string());
    put("epoch", epoch.clone());
    put("epoch_int", epoch);
    put("date", now.strftime("%Y-%m-%d").to_string());
    put("time", now.strftime("%H:%M:%S").to_string());
    put(
        "iso8601_micro",
        format!("{}.{micro:06}Z", utc.strftime("%Y-%m-%dT%H:%M:%S")),
    );
    put("iso8601", utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    put(
        "iso8601_basic",
        format!("{}{micro:06}", now.strftime("%Y%m%dT%H%M%S")),
    );
    put(
        "iso8601_basic_short",
        now.strftime("%Y%m%dT%H%M%S").to_string(),
    );
    put("tz", now.strftime("%Z").to_string());
    put("tz_dst", daylight_name(now));
    put("tz_offset", now.strftime("%z").to_string());
    map
}

/// The name of the zone in the other half of the year, where it changes.
fn daylight_name(now: &jiff::Zoned) -> String {
    let zone = now.time_zone();
    let plain = zone
        .to_offset_info(now.timestamp())
        .abbreviation()
        .to_owned();
    let daylight = zone
        .following(now.timestamp())
        .take(4)
        .find(|t| t.dst().is_dst())
        .map(|t| t.abbreviation().to_owned());
    daylight.unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn all_the_ways() {
        let now: jiff::Zoned = "2026-07-05T03:04:05.000678+02:00[+02:00]".parse().unwrap();
        let map = of(&now);
        for (name, value) in [
            ("date", "2026-07-05"),
            ("weekday", "Sunday"),
            ("weekday_number", "0"),
            ("weeknumber", "26"),
            ("iso8601", "2026-07-05T01:04:05Z"),
            ("iso8601_micro", "2026-07-05T01:04:05.000678Z"),
            ("iso8601_basic", "20260705T030405000678"),
            ("tz_offset", "+0200"),
            ("epoch", "1783213445"),
        ] {
            assert_eq!(map[name], value.into(), "{name}");
        }
    }
}
