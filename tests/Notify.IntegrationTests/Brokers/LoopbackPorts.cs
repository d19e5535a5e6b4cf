using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Notify.IntegrationTests.Brokers;

/// <summary>Finds ports that are free on loopback.</summary>
internal static class LoopbackPorts
{
    // Port 0 would give one of the range for outgoing connections (from 32768). There a client that keeps calling a killed broker
    // may be given the broker's port as its own end, and so be connected to itself, and the broker cannot start again.
    private const int First = 20_000;
    private const int End = 32_000;
    private const int Attempts = 5;

    /// <summary>Starts something on free ports; and again on others when it fails with an IOException, for somebody may have taken one meanwhile.</summary>
    public static async Task<T> UseAsync<T>(int count, Func<int[], Task<T>> start)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await start(Find(count));
            }
            catch (IOException) when (attempt < Attempts)
            {
            }
        }
    }

    private static int[] Find(int count)
    {
        var held = new List<TcpListener>();
        try
        {
            while (held.Count < count)
            {
                var listener = new TcpListener(IPAddress.Loopback, RandomNumberGenerator.GetInt32(First, End));
                try
                {
                    listener.Start();
                    held.Add(listener);
                }
                catch (SocketException)
                {
                    listener.Dispose();
                }
            }
            return [.. held.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        }
        finally
        {
            held.ForEach(listener => listener.Dispose());
        }
    }
}
