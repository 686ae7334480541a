//! Fields that protobuf writes in JSON as text: forms for `#[serde(with = …)]`.
//!
//! Go clients of v5.14 and later, and JSON over gRPC in every version, write 64-bit integers as strings (WIRE §18 S9); Go
//! writes bytes as base64 and what is nothing as `null`.

/// A 64-bit integer: read from a number, a string or `null` (zero), written as a number, which every Go version reads.
pub mod int64 {
    use serde::de::{Error, Unexpected, Visitor};
    use serde::{Deserializer, Serialize, Serializer};
    use std::fmt;
    use std::marker::PhantomData;
    use std::str::FromStr;

    /// Writes the number.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<T: Serialize, S: Serializer>(number: &T, to: S) -> Result<S::Ok, S::Error> {
        number.serialize(to)
    }

    /// Reads the number, an `i64` or a `u64`.
    ///
    /// # Errors
    /// It is none, or beyond the type's range.
    pub fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: TryFrom<i64> + TryFrom<u64> + FromStr + Default,
        D: Deserializer<'de>,
    {
        from.deserialize_any(Number(PhantomData))
    }

    struct Number<T>(PhantomData<T>);

    impl<T: TryFrom<i64> + TryFrom<u64> + FromStr + Default> Visitor<'_> for Number<T> {
        type Value = T;

        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("a 64-bit integer, as a number or a string")
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
            number.try_into().map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
            number.try_into().map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
        }

        fn visit_unit<E: Error>(self) -> Result<T, E> {
            Ok(T::default())
        }
    }
}

/// Bytes: base64, with or without padding; `null` is none.
pub mod bytes {
    use crate::codec::base64;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the text, with padding.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        let mut text = base64::encode(bytes);
        while !text.len().is_multiple_of(4) {
            text.push('=');
        }
        to.serialize_str(&text)
    }

    /// Reads the text.
    ///
    /// # Errors
    /// It is no base64.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = Option::<String>::deserialize(from)?.unwrap_or_default();
        base64::decode(text.as_bytes()).ok_or_else(|| D::Error::custom("no base64"))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Rich {
        #[serde(with = "super::int64")]
        signed: i64,
        #[serde(with = "super::int64")]
        unsigned: u64,
        #[serde(with = "super::bytes")]
        raw: Vec<u8>,
    }

    fn read(json: &str) -> Result<Rich, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_read_in_both_forms() {
        for json in
            [r#"{"signed":-3,"unsigned":18446744073709551615}"#, r#"{"signed":"-3","unsigned":"18446744073709551615"}"#]
        {
            assert_eq!(read(json), Ok(Rich { signed: -3, unsigned: u64::MAX, raw: Vec::new() }), "{json}");
        }
        assert_eq!(read(r#"{"signed":null,"raw":null}"#), Ok(Rich::default()));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        insta::assert_snapshot!(read(r#"{"signed":"x"}"#).unwrap_err(), @r#"invalid value: string "x", expected a 64-bit integer, as a number or a string at line 1 column 13"#);
        for json in [
            r#"{"signed":""}"#,
            r#"{"signed":9223372036854775808}"#,
            r#"{"unsigned":-1}"#,
            r#"{"signed":1.5}"#,
            r#"{"signed":[1]}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn both_are_written_as_go_reads_them() {
        let rich = Rich { signed: 3, unsigned: 4, raw: b"hi".to_vec() };
        assert_eq!(serde_json::to_string(&rich).unwrap(), r#"{"signed":3,"unsigned":4,"raw":"aGk="}"#);
    }

    #[test]
    fn bytes_survive() {
        for length in 0..=256 {
            let raw: Vec<u8> = (0..length).map(|at| u8::try_from(at % 256).unwrap()).collect();
            let rich = Rich { raw, ..Rich::default() };
            assert_eq!(read(&serde_json::to_string(&rich).unwrap()), Ok(rich));
        }
        assert!(read(r#"{"raw":"a"}"#).is_err());
    }
}
