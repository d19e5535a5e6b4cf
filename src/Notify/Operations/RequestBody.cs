using System.Buffers;

namespace Notify.Operations;

/// <summary>Reads a request's body up to a bound.</summary>
internal static class RequestBody
{
    /// <summary>The whole body; null if it is longer than the bound, of which no more than that is read.</summary>
    public static async Task<ReadOnlyMemory<byte>?> ReadAsync(HttpRequest request, int maxBytes, CancellationToken cancellationToken)
    {
        if (request.ContentLength > maxBytes)
        {
            return null;
        }

        while (true)
        {
            var read = await request.BodyReader.ReadAsync(cancellationToken);
            var isTooLong = read.Buffer.Length > maxBytes;
            if (isTooLong || read.IsCompleted)
            {
                ReadOnlyMemory<byte>? body = isTooLong ? default(ReadOnlyMemory<byte>?) : read.Buffer.ToArray();
                request.BodyReader.AdvanceTo(read.Buffer.End);
                return body;
            }

            request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
