using System.Data.Common;
using MassTransit;

namespace Notify.Messaging;

/// <summary>
/// Retry policies that several endpoints share: in place, so that order holds, five more tries over about ten seconds, then the <c>_error</c> queue. Meant for
/// a store that is locked or restarting; what a push service answers is no exception and never comes here.
/// </summary>
internal static class Retries
{
    /// <summary>Whatever failed, except what no retry can mend.</summary>
    public static void InPlace(IRetryConfigurator retry)
    {
        FiveTimes(retry);
        retry.Ignore<Fanout.InvalidMessageException>();
    }

    /// <summary>Only what the store failed at before anything was sent: a push that was made and cannot be told to the bus must not be made six times.</summary>
    public static void OfTheStore(IRetryConfigurator retry)
    {
        FiveTimes(retry);
        retry.Handle<Exception>(exception => exception is not Sending.WaitingLineException && IsOfTheStore(exception));
    }

    private static void FiveTimes(IRetryConfigurator retry) => retry.Exponential(5, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(200));

    private static bool IsOfTheStore(Exception? exception) => exception is not null && (exception is DbException || IsOfTheStore(exception.InnerException));
}
