using System.Globalization;
using System.Net;
using Notify.WebPush;

namespace Notify.Benchmarks;

/// <summary>
/// One row of the HTTP table in a process of its own, so that its processor time holds no other's: told how many seconds on a line of its
/// input, it sends for so long and prints requests, seconds of processor time and bytes allocated.
/// </summary>
internal sealed class HttpLoad
{
    /// <summary>Requests under way at a time: what Notify allows one push service unless told otherwise.</summary>
    internal const int InFlight = 256;

    private readonly PushTarget _target;
    private readonly Func<PushSubscription, CancellationToken, Task> _send;
    private int _next;
    private long _count;
    private volatile bool _isStopping;

    private HttpLoad(HttpLoadKind kind, PushTarget target)
    {
        _target = target;
        _send = kind switch
        {
            HttpLoadKind.HttpClient1 => SendByHttpClient(HttpVersion.Version11),
            HttpLoadKind.HttpClient2 => SendByHttpClient(HttpVersion.Version20),
            _ => SendByPushServiceClient(encrypts: kind == HttpLoadKind.WithEncryption),
        };
    }

    internal static async Task<int> RunAsync(HttpLoadKind kind, string origin, int contentLength, TextReader input, TextWriter output)
    {
        var load = new HttpLoad(kind, new PushTarget(origin, contentLength));
        while (await input.ReadLineAsync() is { } line)
        {
            await output.WriteLineAsync(await load.MeasureAsync(TimeSpan.FromSeconds(double.Parse(line, CultureInfo.InvariantCulture))));
            await output.FlushAsync();
        }

        return 0;
    }

    private async Task<string> MeasureAsync(TimeSpan length)
    {
        (_count, _isStopping) = (0, false);
        using var caller = new CancellationTokenSource();
        var bytesBefore = GC.GetTotalAllocatedBytes();
        var cpuBefore = Environment.CpuUsage.TotalTime;
        var senders = Enumerable.Range(0, InFlight).Select(_ => Task.Run(() => SendAsync(caller.Token))).ToArray();
        await Task.Delay(length);
        _isStopping = true;
        await Task.WhenAll(senders);
        var cpu = Environment.CpuUsage.TotalTime - cpuBefore;
        return string.Create(CultureInfo.InvariantCulture, $"{_count} {cpu.TotalSeconds} {GC.GetTotalAllocatedBytes() - bytesBefore}");
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        while (!_isStopping)
        {
            var subscription = _target.Subscriptions[(uint)Interlocked.Increment(ref _next) % PushTarget.EndpointCount];
            await _send(subscription, cancellationToken).ConfigureAwait(false);
            Interlocked.Increment(ref _count);
        }
    }

    private Func<PushSubscription, CancellationToken, Task> SendByPushServiceClient(bool encrypts)
    {
        var http = new HttpClient(PushServiceClient.CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
        var client = new PushServiceClient(http, _target.Tokens, TimeProvider.System);
        var encrypted = encrypts ? null : _target.Encrypted;
        return async (subscription, cancellationToken) =>
        {
            var outcome = await client.SendAsync(subscription, _target.Message, encrypted, _target.Keys, cancellationToken).ConfigureAwait(false);
            if (outcome is not PushOutcome.Accepted)
            {
                throw new InvalidOperationException(outcome.ToString());
            }
        };
    }

    private Func<PushSubscription, CancellationToken, Task> SendByHttpClient(Version version)
    {
        var http = new HttpClient();
        var headers = _target.Headers.Except(PushTarget.ContentHeaders).ToList();
        return async (subscription, cancellationToken) =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, subscription.Endpoint.AbsoluteUri) { Version = version };
            foreach (var (name, value) in headers)
            {
                request.Headers.Add(name, value);
            }

            request.Content = new ByteArrayContent(_target.Encrypted);
            foreach (var (name, value) in PushTarget.ContentHeaders)
            {
                request.Content.Headers.Add(name, value);
            }

            using var response = await http.SendAsync(request, cancellationToken).ConfigureAwait(false);
            response.EnsureSuccessStatusCode();
        };
    }
}

/// <summary>The clients that this process can be.</summary>
internal enum HttpLoadKind
{
    /// <summary>PushServiceClient's own handler and SendAsync, with a body that is encrypted already.</summary>
    HttpAlone,

    /// <summary>The same, encryption included.</summary>
    WithEncryption,

    /// <summary>HttpClient as people write it, with a body that is encrypted already: HTTP/1.1, since nothing else is asked for.</summary>
    HttpClient1,

    /// <summary>The same with <c>Version = 2.0</c>.</summary>
    HttpClient2,
}
