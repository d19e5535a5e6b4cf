using MassTransit;

namespace Notify.Messaging;

/// <summary>Retry policies that several endpoints share.</summary>
internal static class Retries
{
    /// <summary>
    /// In place, so that order holds: five more tries over about ten seconds, then the <c>_error</c> queue. Meant for a store that is locked
    /// or restarting; what a push service answers is no exception and never comes here.
    /// </summary>
    public static void WhileTheStoreIsAway(IRetryConfigurator retry)
    {
        retry.Exponential(5, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(200));
        retry.Ignore<Fanout.InvalidMessageException>();
        retry.Ignore<Sending.WaitingLineException>();
    }
}
