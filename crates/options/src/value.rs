//! Values as users write them: counts, sizes, durations, names, paths.
//!
//! Each reader answers with what is allowed when the text is not; the parser adds the option and the text.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// What an option allows, said after "allowed is".
pub(crate) type Allowed = Cow<'static, str>;

pub(crate) fn text(value: &OsStr) -> Result<&str, Allowed> {
    match value.to_str() {
        Some("") | None => Err("a text that is not empty, in UTF-8".into()),
        Some(text) => Ok(text),
    }
}

pub(crate) fn path(value: &OsStr) -> Result<PathBuf, Allowed> {
    if value.is_empty() {
        return Err("a path".into());
    }
    Ok(value.into())
}

/// A number within a range.
pub(crate) fn count<T>(value: &OsStr, range: RangeInclusive<T>) -> Result<T, Allowed>
where
    T: TryFrom<u64> + PartialOrd + Display,
{
    value
        .to_str()
        .and_then(digits)
        .and_then(|number| T::try_from(number).ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("a number from {} to {}", range.start(), range.end()).into())
}

/// Octets within a range: `512`, `64k`, `8m`, `1g`, of 1024 each.
pub(crate) fn size<T>(value: &OsStr, range: RangeInclusive<T>) -> Result<T, Allowed>
where
    T: TryFrom<u64> + PartialOrd + Copy,
    u64: TryFrom<T>,
{
    let octets = value.to_str().and_then(|text| {
        let (number, unit) = split_unit(text);
        let shift = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kib" | "kb" => 10,
            "m" | "mib" | "mb" => 20,
            "g" | "gib" | "gb" => 30,
            _ => return None,
        };
        digits(number)?.checked_mul(1 << shift)
    });
    octets
        .and_then(|octets| T::try_from(octets).ok())
        .filter(|octets| range.contains(octets))
        .ok_or_else(|| {
            let written = |n: T| u64::try_from(n).map(write_size).unwrap_or_default();
            format!(
                "a size from {} to {}, in octets or as 64k, 8m, 1g",
                written(*range.start()),
                written(*range.end())
            )
            .into()
        })
}

/// A duration up to a day: `30` and `30s` are seconds; `500ms`, `5m`, `1h`.
pub(crate) fn duration(value: &OsStr) -> Result<Duration, Allowed> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    value
        .to_str()
        .and_then(|text| {
            let (number, unit) = split_unit(text);
            let milliseconds = match unit {
                "ms" => 1,
                "" | "s" => 1000,
                "m" | "min" => 60 * 1000,
                "h" => 60 * 60 * 1000,
                _ => return None,
            };
            digits(number)?.checked_mul(milliseconds)
        })
        .map(Duration::from_millis)
        .filter(|duration| !duration.is_zero() && *duration <= DAY)
        .ok_or_else(|| "a time from 1ms to 24h, in seconds or as 500ms, 30s, 5m, 1h".into())
}

/// One of several words.
pub(crate) fn word<T: Copy>(value: &OsStr, words: &[(&'static str, T)]) -> Result<T, Allowed> {
    words
        .iter()
        .find(|(name, _)| value == OsStr::new(name))
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| {
            let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
            format!("one of {}", names.join(", ")).into()
        })
}

/// Whether something is done.
pub(crate) fn switch(value: &OsStr) -> Result<bool, Allowed> {
    word(value, &[("on", true), ("off", false)])
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Decimal digits only: no sign, no space, which `str::parse` would allow.
fn digits(text: &str) -> Option<u64> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn write_size(octets: u64) -> String {
    for (shift, unit) in [(30, "g"), (20, "m"), (10, "k")] {
        if octets > 0 && octets.is_multiple_of(1 << shift) {
            return format!("{}{unit}", octets >> shift);
        }
    }
    octets.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, octets) in [
            ("0", 0u64),
            ("512", 512),
            ("64k", 65_536),
            ("8M", 8 << 20),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(size(OsStr::new(text), 0..=u64::MAX), Ok(octets));
        }
        for text in [
            "",
            "k",
            "-1",
            "+1",
            "1.5k",
            "64 k",
            "1t",
            "99999999999999999999",
            "18014398509481984k",
        ] {
            assert!(size(OsStr::new(text), 0..=u64::MAX).is_err(), "{text}");
        }
        assert_eq!(
            size(OsStr::new("1"), 16_384u32..=(1 << 20)).unwrap_err(),
            "a size from 16k to 1m, in octets or as 64k, 8m, 1g"
        );
    }

    #[test]
    fn durations_are_seconds_unless_they_say_otherwise() {
        for (text, milliseconds) in [
            ("30", 30_000),
            ("30s", 30_000),
            ("250ms", 250),
            ("5m", 300_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                duration(OsStr::new(text)),
                Ok(Duration::from_millis(milliseconds))
            );
        }
        for text in [
            "",
            "0",
            "s",
            "-1",
            "1.5s",
            "25h",
            "1d",
            "1 s",
            "99999999999999999999h",
        ] {
            assert!(duration(OsStr::new(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_stay_in_their_range() {
        assert_eq!(count(OsStr::new("4"), 1..=1024usize), Ok(4));
        for text in ["0", "1025", "four", "", "+4", " 4", "4.0"] {
            let allowed = count(OsStr::new(text), 1..=1024usize).unwrap_err();
            assert_eq!(allowed, "a number from 1 to 1024", "{text}");
        }
    }

    #[test]
    fn words_are_listed_when_none_fits() {
        assert_eq!(word(OsStr::new("b"), &[("a", 1), ("b", 2)]), Ok(2));
        assert_eq!(
            word(OsStr::new("c"), &[("a", 1), ("b", 2)]).unwrap_err(),
            "one of a, b"
        );
    }
}
