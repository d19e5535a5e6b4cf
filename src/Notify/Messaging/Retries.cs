using System.Data.Common;
using MassTransit;
using MassTransit.Configuration;
using Notify.Store;

namespace Notify.Messaging;

/// <summary>
/// Retry policies that several endpoints share, in place, so that order holds: while the database is away for as long as it takes, everything else five more times over about
/// ten seconds, then it is given up: on RabbitMQ to the <c>_error</c> queue. What a push service answers is no exception and never comes here.
/// docs/architecture.md has all who try again.
/// </summary>
internal static class Retries
{
    private static readonly TimeSpan AwayInterval = TimeSpan.FromSeconds(5);

    /// <summary>Retries whatever failed, except what no retry can mend.</summary>
    public static void RetryInPlace(this IReceiveEndpointConfigurator endpoint)
    {
        endpoint.UseMessageRetry(WhileTheStoreIsAway);
        endpoint.UseMessageRetry(WhateverFailed);
    }

    /// <inheritdoc cref="RetryInPlace(IReceiveEndpointConfigurator)" />
    /// <remarks>An endpoint's own retries stand before its filters, among them its order: a message would leave its place while it waits (<see cref="EndpointOrder"/>).</remarks>
    public static void RetryInPlace<TConsumer>(this IConsumerConfigurator<TConsumer> consumer)
        where TConsumer : class
    {
        consumer.UseMessageRetry(WhileTheStoreIsAway);
        consumer.UseMessageRetry(WhateverFailed);
    }

    /// <summary>Retries only what the store failed at before anything was sent: a push that was made and cannot be told to the bus must not be made six times.</summary>
    /// <inheritdoc cref="RetryInPlace{TConsumer}" path="/remarks" />
    public static void RetryTheStore<TConsumer>(this IConsumerConfigurator<TConsumer> consumer)
        where TConsumer : class
    {
        consumer.UseMessageRetry(WhileTheStoreIsAway);
        consumer.UseMessageRetry(WhatTheStoreFailedAt);
    }

    /// <summary>The same where no message is handled.</summary>
    public static void RetryTheStore<TContext>(this IPipeConfigurator<TContext> pipe)
        where TContext : class, PipeContext
    {
        pipe.AddRetry(WhileTheStoreIsAway);
        pipe.AddRetry(WhatTheStoreFailedAt);
    }

    private static void AddRetry<TContext>(this IPipeConfigurator<TContext> pipe, Action<IRetryConfigurator> configure)
        where TContext : class, PipeContext
    {
        var retry = new RetryPipeSpecification<TContext>();
        configure(retry);
        pipe.AddPipeSpecification(retry);
    }

    private static void WhileTheStoreIsAway(IRetryConfigurator retry)
    {
        retry.Incremental(int.MaxValue, AwayInterval, TimeSpan.Zero);
        retry.Handle<Exception>(exception => exception is not Sending.WaitingLineException && StoreAway.IsSaidBy(exception));
    }

    private static void WhatTheStoreFailedAt(IRetryConfigurator retry)
    {
        FiveTimes(retry);
        retry.Handle<Exception>(exception => exception is not Sending.WaitingLineException && IsOfTheStore(exception) && !StoreAway.IsSaidBy(exception));
    }

    private static void WhateverFailed(IRetryConfigurator retry)
    {
        FiveTimes(retry);
        retry.Ignore<Fanout.InvalidMessageException>();
        retry.Ignore<Exception>(StoreAway.IsSaidBy);
    }

    private static void FiveTimes(IRetryConfigurator retry) => retry.Exponential(5, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(200));

    private static bool IsOfTheStore(Exception? exception) => exception is not null && (exception is DbException || IsOfTheStore(exception.InnerException));
}
