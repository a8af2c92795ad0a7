internal import CProtobufC

/// The protobuf-c library that this process uses.
package enum ProtobufLibrary {
    package static var version: String { unsafe String(cString: protobuf_c_version()) }
}
