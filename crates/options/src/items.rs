//! Values with parts: `addr=127.0.0.1:8443,cert=a.crt,key=a.key,spdy=1`, and uWSGI's `ADDRESS,CERT,KEY`.

use crate::address::{self, Address};
use crate::serve::{Keys, Listen};
use crate::value::{self, Allowed};
use std::ffi::OsStr;

/// `--https2`: parts by name, in any order.
pub(crate) fn https2(value: &OsStr) -> Result<Listen, Allowed> {
    const FORM: &str = "addr=ADDRESS,cert=FILE,key=FILE[,spdy=1]";
    let (mut at, mut certificate, mut key, mut spdy) = (None, None, None, None);
    for item in value::text(value)?.split(',') {
        let Some((name, content)) = item.split_once('=') else {
            return Err(format!("{FORM}; '{item}' is not NAME=VALUE").into());
        };
        let slot = match name {
            "addr" => &mut at,
            "cert" | "crt" => &mut certificate,
            "key" => &mut key,
            "spdy" => &mut spdy,
            "ciphers" | "clientca" | "client_ca" => {
                return Err(format!("{FORM}; {name} is not built in yet").into());
            }
            _ => return Err(format!("{FORM}; there is no '{name}'").into()),
        };
        if content.is_empty() {
            return Err(format!("{FORM}; {name} is empty").into());
        }
        if slot.replace(content).is_some() {
            return Err(format!("{FORM}; {name} is given twice").into());
        }
    }
    let (Some(at), Some(certificate), Some(key)) = (at, certificate, key) else {
        return Err(format!("{FORM}; addr, cert and key are needed").into());
    };
    let spdy = match spdy {
        None | Some("0") => false,
        Some("1") => true,
        Some(_) => return Err(format!("{FORM}; spdy is 0 or 1").into()),
    };
    Ok(Listen {
        address: address(at)?,
        keys: Some(Keys {
            certificate: certificate.into(),
            key: key.into(),
        }),
        spdy,
        option: "--https2",
    })
}

/// `--https`: parts by position, as uWSGI has it.
pub(crate) fn https(value: &OsStr) -> Result<Listen, Allowed> {
    const FORM: &str = "ADDRESS,CERTIFICATE,KEY";
    let parts: Vec<_> = value::text(value)?.split(',').collect();
    match parts[..] {
        [at, certificate, key] if !certificate.is_empty() && !key.is_empty() => Ok(Listen {
            address: address(at)?,
            keys: Some(Keys {
                certificate: certificate.into(),
                key: key.into(),
            }),
            spdy: false,
            option: "--https",
        }),
        [_, _, _, _, ..] => {
            Err(format!("{FORM}; ciphers and client CA are not built in yet").into())
        }
        _ => Err(FORM.into()),
    }
}

/// `--http`.
pub(crate) fn http(value: &OsStr) -> Result<Listen, Allowed> {
    Ok(Listen {
        address: address(value::text(value)?)?,
        keys: None,
        spdy: false,
        option: "--http",
    })
}

/// `--shared-socket`: an address of its own, not a reference.
pub(crate) fn shared_socket(value: &OsStr) -> Result<Address, Allowed> {
    match address(value::text(value)?)? {
        Address::Shared(_) => Err("an address; =N only refers to a shared socket".into()),
        address => Ok(address),
    }
}

fn address(text: &str) -> Result<Address, Allowed> {
    Address::parse(text)
        .ok_or_else(|| format!("{} ('{text}' is none of these)", address::FORMS).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn https2_text(text: &str) -> Result<Listen, Allowed> {
        https2(OsStr::new(text))
    }

    #[test]
    fn the_parts_of_https2_come_in_any_order_and_under_uwsgis_names() {
        let a = https2_text("addr=127.0.0.1:8443,cert=a.crt,key=a.key,spdy=1").unwrap();
        let b = https2_text("spdy=1,key=a.key,crt=a.crt,addr=127.0.0.1:8443").unwrap();
        assert_eq!(a, b);
        assert!(a.spdy);
        assert_eq!(
            a.address,
            Address::Tcp {
                host: "127.0.0.1".into(),
                port: 8443
            }
        );
        assert_eq!(a.keys.unwrap().key, std::path::Path::new("a.key"));
    }

    #[test]
    fn a_part_is_split_at_its_first_equals_sign() {
        assert_eq!(
            https2_text("addr==1,cert=a,key=b").unwrap().address,
            Address::Shared(1)
        );
    }

    #[test]
    fn each_fault_of_https2_is_named() {
        for (text, end) in [
            ("", "a text that is not empty, in UTF-8"),
            ("addr=:1", "; addr, cert and key are needed"),
            ("addr=:1,cert=a", "; addr, cert and key are needed"),
            ("addr=:1,cert=a,key=b,", "; '' is not NAME=VALUE"),
            (
                "127.0.0.1:1,cert=a,key=b",
                "; '127.0.0.1:1' is not NAME=VALUE",
            ),
            ("addr=:1,cert=a,key=b,spdi=1", "; there is no 'spdi'"),
            ("addr=:1,cert=a,cert=c,key=b", "; cert is given twice"),
            ("addr=:1,cert=a,key=", "; key is empty"),
            ("addr=:1,cert=a,key=b,spdy=yes", "; spdy is 0 or 1"),
            (
                "addr=:1,cert=a,key=b,ciphers=HIGH",
                "; ciphers is not built in yet",
            ),
            ("addr=here,cert=a,key=b", "('here' is none of these)"),
        ] {
            let allowed = https2_text(text).unwrap_err();
            assert!(allowed.ends_with(end), "{text}: {allowed}");
        }
    }

    #[test]
    fn https_has_its_parts_by_position() {
        let listen = https(OsStr::new(":8443,a.crt,a.key")).unwrap();
        assert_eq!(
            listen.keys.unwrap().certificate,
            std::path::Path::new("a.crt")
        );
        for text in [":8443", ":8443,a", ":8443,,b", ":8443,a,b,HIGH", "x,a,b"] {
            assert!(https(OsStr::new(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_shared_socket_is_no_reference() {
        assert!(shared_socket(OsStr::new("=0")).is_err());
        assert!(shared_socket(OsStr::new(":80")).is_ok());
    }
}
