use super::*;

mod guide;

#[test]
fn every_vendor_is_found_and_its_own_base_url_is_valid() {
    for vendor in VENDORS {
        assert_eq!(find(vendor.name).unwrap().name, vendor.name);
        assert!(vendor.base_url.is_none_or(|url| endpoint(vendor, url).unwrap().tls), "{}", vendor.name);
        assert!(!KNOWN_ELSEWHERE.contains(&vendor.name));
    }
    assert!(find("azure").is_none());
}

#[test]
fn a_base_url_of_the_table_does_not_bring_the_version_itself() {
    for vendor in VENDORS {
        let Some(url) = vendor.base_url else { continue };
        let read = endpoint(vendor, url).unwrap();
        assert_eq!(format!("https://{}{}", read.host, read.prefix), url);
    }
}

#[test]
fn servers_of_ones_own_have_no_address_that_could_be_known() {
    for vendor in VENDORS.iter().filter(|vendor| vendor.is_self_hosted) {
        assert!(vendor.base_url.is_none(), "{}", vendor.name);
    }
}
