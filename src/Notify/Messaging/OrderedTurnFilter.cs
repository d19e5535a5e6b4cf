using MassTransit;
using Notify.Contracts;

namespace Notify.Messaging;

/// <summary>Waits for a push's turn before anything else happens to it, and holds the turn through retries in place.</summary>
internal sealed class OrderedTurnFilter(OrderedTurns turns) : IFilter<ConsumeContext>
{
    /// <summary>Carries <see cref="OrderedTurns.Turn.Id"/>.</summary>
    public const string Header = "Notify-Turn";

    public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        if (!context.TryGetMessage<SendPush>(out var push))
        {
            await next.Send(context);
            return;
        }

        using var turn = turns.Claim(context.Headers.Get<long>(Header), push.Message.SubscriptionId);
        await turn.WaitAsync(context.CancellationToken);
        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("orderedTurn");
}
