internal import CCurl
internal import Glibc

/// The state of one request that libcurl's callbacks share. Lives on the thread that performs it.
@safe final class AdminTransfer {
    /// Bodies kept in memory are lists and error messages; more is not an admin listener.
    private static let maximumBodySize = 64 << 20

    var source: Int32?
    private(set) var body: [UInt8] = []
    /// What stopped the transfer on our side.
    private(set) var failure: AdministrationError?

    // SAFETY: borrowed from the request that made this object; libcurl calls back only while that
    // request performs.
    private let handle: UnsafeMutableRawPointer
    private let destination: Int32?
    private let progress: (UInt64) -> Void
    private var completedBytes: UInt64 = 0
    private var sourceOffset: Int = 0

    init(
        _ handle: UnsafeMutableRawPointer, _ destination: Int32?,
        _ progress: @escaping (UInt64) -> Void
    ) {
        unsafe self.handle = handle
        self.destination = destination
        self.progress = progress
    }

    /// The object behind the pointer that libcurl hands to a callback.
    static func from(_ context: UnsafeMutableRawPointer?) -> AdminTransfer {
        guard let context = unsafe context else {
            preconditionFailure("libcurl lost the callback's context")
        }
        return unsafe Unmanaged<AdminTransfer>.fromOpaque(context).takeUnretainedValue()
    }

    /// Takes bytes of the answer's body. Anything but their count makes libcurl give up.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        var status = 0
        unsafe ccurl_response_code(handle, &status)
        if let destination, status == 200 {
            guard unsafe write(bytes, to: destination) else { return 0 }
            completedBytes += UInt64(bytes.count)
            progress(completedBytes)
            return bytes.count
        }
        guard body.count + bytes.count <= Self.maximumBodySize else {
            failure = .failed("the server's answer is longer than 64 MiB")
            return 0
        }
        unsafe body += bytes
        return bytes.count
    }

    /// Fills `buffer` with the next bytes of the request's body; 0 at its end.
    func supply(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let source else { return 0 }
        while true {
            let count = unsafe pread(source, buffer.baseAddress, buffer.count, sourceOffset)
            if count >= 0 {
                sourceOffset += count
                completedBytes += UInt64(count)
                progress(completedBytes)
                return count
            }
            guard errno != EINTR else { continue }
            failure = .inputOutput(
                "the file cannot be read: \(unsafe String(cString: strerror(errno)))")
            return Int(CURL_READFUNC_ABORT)
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = unsafe bytes[...]
        while unsafe !rest.isEmpty {
            let part = unsafe UnsafeRawBufferPointer(rebasing: rest)
            let count = unsafe Glibc.write(descriptor, part.baseAddress, part.count)
            if count >= 0 {
                unsafe rest = rest.dropFirst(count)
            } else if errno != EINTR {
                failure = .inputOutput(
                    "the file cannot be written: \(unsafe String(cString: strerror(errno)))")
                return false
            }
        }
        return true
    }
}
