using MassTransit;
using Notify.Contracts;

namespace Notify.Messaging;

/// <summary>Sends <see cref="SendPush"/> commands to the send stage; the only way there, since it is here that order is pinned.</summary>
public sealed class PushSender(OrderedTurns turns)
{
    /// <summary>Marks a push that comes out of its subscription's waiting line (<see cref="Sending.WaitingLines"/>).</summary>
    public const string ReleasedHeader = "Notify-Released";

    // Fan-out and a waiting line may send to one subscription at once; what takes its turn first must be in the queue first.
    private readonly SemaphoreSlim[] _oneAtATime = [.. Enumerable.Range(0, 1024).Select(_ => new SemaphoreSlim(1))];

    /// <summary>Sends one command, to be handled at once.</summary>
    /// <param name="provider">The consume context, or the bus.</param>
    /// <param name="push">The command.</param>
    /// <param name="released">Whether it comes out of a waiting line.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task SendAsync(ISendEndpointProvider provider, SendPush push, bool released, CancellationToken cancellationToken)
    {
        var oneAtATime = _oneAtATime[(uint)push.SubscriptionId.GetHashCode() % (uint)_oneAtATime.Length];
        await oneAtATime.WaitAsync(cancellationToken);
        var turn = turns.Take(push.SubscriptionId);
        try
        {
            await SendAsync(provider, push, released, context => context.Headers.Set(OrderedTurnFilter.Header, turn.Id), cancellationToken);
        }
        catch
        {
            turn.Dispose();
            throw;
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    /// <summary>Sends one command out of a waiting line that the bus holds back; it takes its turn when it comes.</summary>
    /// <param name="provider">The bus.</param>
    /// <param name="push">The command.</param>
    /// <param name="delay">How long; zero or more.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task SendLaterAsync(ISendEndpointProvider provider, SendPush push, TimeSpan delay, CancellationToken cancellationToken) =>
        SendAsync(provider, push, released: true, context => context.Delay = delay, cancellationToken);

    private static async Task SendAsync(
        ISendEndpointProvider provider, SendPush push, bool released, Action<SendContext> configure, CancellationToken cancellationToken)
    {
        var endpoint = await provider.GetSendEndpoint(Queues.Address(Queues.SubscriptionSend));
        await endpoint.Send(
            push,
            context =>
            {
                context.SetRoutingKey(push.SubscriptionId.ToString("N"));
                if (released)
                {
                    context.Headers.Set(ReleasedHeader, true);
                }

                configure(context);
            },
            cancellationToken);
    }
}
