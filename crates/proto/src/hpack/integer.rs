//! Integers with a prefix (RFC 7541, section 5.1): what fits into the rest of an octet, or a run of sevens of bits.

use super::DecodeError;

/// Appends `value`; `flags` are the bits of the first octet above the prefix of `prefix` bits.
#[inline]
pub(super) fn encode(flags: u8, prefix: u32, value: u32, out: &mut Vec<u8>) {
    let most = (1 << prefix) - 1;
    if value < most {
        out.push(flags | value as u8);
        return;
    }
    out.push(flags | most as u8);
    encode_long(value - most, out);
}

fn encode_long(mut rest: u32, out: &mut Vec<u8>) {
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Takes the rest of an integer from `rest`, whose first octet was `first`. Five octets may follow the first,
/// and the value must fit 32 bits: no length or index that is of use is longer.
#[inline]
pub(super) fn decode(first: u8, prefix: u32, rest: &mut &[u8]) -> Result<u32, DecodeError> {
    let most = (1 << prefix) - 1;
    let value = u32::from(first) & most;
    if value < most {
        return Ok(value);
    }
    decode_long(most, rest)
}

fn decode_long(most: u32, rest: &mut &[u8]) -> Result<u32, DecodeError> {
    let mut value = u64::from(most);
    for shift in [0, 7, 14, 21, 28] {
        let (&octet, after) = rest.split_first().ok_or(DecodeError::Truncated)?;
        *rest = after;
        value += u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return u32::try_from(value).map_err(|_| DecodeError::Integer);
        }
    }
    Err(DecodeError::Integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541, appendix C.1: 10 and 1337 in five bits, 42 in eight.
    #[test]
    fn appendix_c_1() {
        for (value, prefix, octets) in [
            (10, 5, &[10][..]),
            (1337, 5, &[31, 154, 10]),
            (42, 8, &[42]),
        ] {
            let mut encoded = Vec::new();
            encode(0, prefix, value, &mut encoded);
            assert_eq!(encoded, octets);
            let (&first, mut rest) = octets.split_first().unwrap();
            assert_eq!(decode(first, prefix, &mut rest), Ok(value));
            assert!(rest.is_empty());
        }
    }

    /// RFC 7541, section 5.1: every prefix, on both sides of every border, to the largest value.
    #[test]
    fn every_prefix_and_border() {
        let borders = (0..32).flat_map(|bits| {
            let border = 1_u32 << bits;
            [border - 1, border, border + 1, border + 126, border + 254]
        });
        for value in borders.chain([u32::MAX - 1, u32::MAX]) {
            for prefix in 1..=8 {
                let mut encoded = Vec::new();
                encode(0, prefix, value, &mut encoded);
                let (&first, mut rest) = encoded.split_first().unwrap();
                assert_eq!(decode(first, prefix, &mut rest), Ok(value), "{prefix}");
                assert!(rest.is_empty());
            }
        }
    }
}
