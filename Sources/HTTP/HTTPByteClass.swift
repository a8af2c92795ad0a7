/// The byte classes of RFC 9110, section 5.6, as tests on single bytes.
enum HTTPByteClass {
    static let carriageReturn = UInt8(ascii: "\r")
    static let lineFeed = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let tab = UInt8(ascii: "\t")
    static let colon = UInt8(ascii: ":")

    /// `tchar`: what methods and field names are made of. One bit a byte of ASCII, in two words.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        let word: UInt64
        switch byte {
        case 0..<64: word = 0x03FF_6CFA_0000_0000
        case 64..<128: word = 0x57FF_FFFF_C7FF_FFFE
        default: return false
        }
        return (word >> UInt64(byte & 63)) & 1 == 1
    }

    /// VCHAR, obs-text, space or tab: what a field value may hold.
    @inline(__always)
    static func isFieldValue(_ byte: UInt8) -> Bool {
        (byte >= 0x20 && byte != 0x7F) || byte == tab
    }

    /// What a request target may hold: visible ASCII, and no fragment (RFC 9112, section 3.2).
    /// Bytes that RFC 3986 wants percent-encoded but that browsers send anyway are let through.
    @inline(__always)
    static func isTarget(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "#")
    }

    /// What an authority without user information is made of (RFC 3986, section 3.2.2).
    static func isHost(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~!$&'()*+,;=:%[]".utf8.contains(byte)
        }
    }

    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    static func hexadecimalValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
