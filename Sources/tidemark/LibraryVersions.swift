internal import CCurl
internal import CNGHTTP2
internal import COpenSSL
internal import CYAML
internal import Codecs
internal import SQLite
internal import WireProtocol

/// The versions of the C libraries as the running process has them, which may differ from those
/// it was built against.
enum LibraryVersions {
    /// Sorted by name.
    static var all: [(name: String, version: String)] {
        [
            ("curl", unsafe String(cString: ccurl_version())),
            ("protobuf-c", ProtobufLibrary.version),
            ("roaring", CodecLibraries.roaringVersion),
            ("sqlite", SQLiteLibrary.version),
            ("zlib", CodecLibraries.zlibVersion),
            ("zstd", CodecLibraries.zstdVersion),
            ("libyaml", unsafe String(cString: yaml_get_version_string())),
            ("nghttp2", unsafe String(cString: nghttp2_version(0).pointee.version_str)),
            // "OpenSSL 3.0.15 3 Sep 2024": the second word.
            ("openssl", word(1, of: unsafe String(cString: OpenSSL_version(OPENSSL_VERSION)))),
        ].sorted { $0.name < $1.name }
    }

    private static func word(_ index: Int, of text: String) -> String {
        let words = text.split(separator: " ")
        return index < words.count ? String(words[index]) : text
    }
}
