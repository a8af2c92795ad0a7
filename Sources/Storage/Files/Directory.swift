internal import CLinux
internal import Glibc
package import Primitives

/// Operations on folders and names, each durable when it returns where its name says so.
package enum Directory {
    package static func create(
        _ path: String, for purpose: FilePurpose
    ) throws(StorageError) {
        try File.ask(.makeFolder, purpose, path)
        guard unsafe mkdir(path, 0o700) != 0 else { return }
        let code = errno
        guard code == EEXIST else { throw .file(operation: "mkdir", path: path, code: code) }
    }

    /// The absolute path without symbolic links, as SQLite sees it.
    package static func canonical(_ path: String) throws(StorageError) -> String {
        guard let resolved = unsafe realpath(path, nil) else {
            throw .file(operation: "resolve", path: path, code: errno)
        }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// Makes names created, renamed and removed in a folder durable.
    package static func synchronize(
        _ path: String, for purpose: FilePurpose
    ) throws(StorageError) {
        let descriptor = try File.call("open", path) {
            unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        defer { close(descriptor) }
        try File.ask(.synchronizeFolder, purpose, path)
        _ = try File.call("fsync", path) { fsync(descriptor) }
    }

    /// Makes a folder's own name durable, unless what it is in belongs to somebody else.
    package static func synchronizeParentIfAllowed(
        _ path: String, for purpose: FilePurpose
    ) throws(StorageError) {
        do throws(StorageError) { try synchronize(path + "/..", for: purpose) } catch {
            guard case .file(_, _, let code) = error, [EACCES, EPERM, EROFS].contains(code)
            else { throw error }
        }
    }

    package static func names(in path: String) throws(StorageError) -> [String] {
        guard let stream = unsafe opendir(path) else {
            throw .file(operation: "opendir", path: path, code: errno)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Renames without replacing. False if `to` exists.
    package static func renameIfAbsent(
        _ from: String, to: String, for purpose: FilePurpose
    ) throws(StorageError) -> Bool {
        try File.ask(.rename, purpose, to)
        if unsafe clinux_rename_noreplace(from, to) == 0 { return true }
        let code = errno
        if code == EEXIST { return false }
        throw .file(operation: "rename", path: to, code: code)
    }

    package static func renameReplacing(
        _ from: String, to: String, for purpose: FilePurpose
    ) throws(StorageError) {
        try File.ask(.rename, purpose, to)
        _ = try File.call("rename", to) { unsafe rename(from, to) }
    }

    package static func removeFile(
        _ path: String, for purpose: FilePurpose
    ) throws(StorageError) {
        try File.ask(.remove, purpose, path)
        guard unsafe unlink(path) != 0, errno != ENOENT else { return }
        throw .file(operation: "unlink", path: path, code: errno)
    }

    /// Removes a file, or a folder and the plain files in it.
    package static func remove(_ path: String, for purpose: FilePurpose) throws(StorageError) {
        try File.ask(.remove, purpose, path)
        if unsafe unlink(path) == 0 || errno == ENOENT { return }
        try removeWithFiles(path, for: purpose)
    }

    /// Removes a folder and the plain files in it.
    package static func removeWithFiles(
        _ path: String, for purpose: FilePurpose
    ) throws(StorageError) {
        for name in try names(in: path) { try removeFile(path + "/" + name, for: purpose) }
        try File.ask(.removeFolder, purpose, path)
        _ = try File.call("rmdir", path) { unsafe rmdir(path) }
    }
}
