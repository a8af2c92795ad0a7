internal import CRoaring
internal import CZlib
internal import CZstd

/// The libraries behind the codecs.
package enum CodecLibraries {
    package static var zstdVersion: String { unsafe String(cString: ZSTD_versionString()) }

    package static var zlibVersion: String { unsafe String(cString: CZlib.zlibVersion()) }

    /// Of the headers that this was built with; the library does not tell its own.
    package static var roaringVersion: String {
        [ROARING_VERSION_MAJOR, ROARING_VERSION_MINOR, ROARING_VERSION_REVISION]
            .map { String($0) }.joined(separator: ".")
    }
}
