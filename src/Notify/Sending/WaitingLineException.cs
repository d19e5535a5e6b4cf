namespace Notify.Sending;

/// <summary>
/// The store could not be read or written for about ten seconds, while a push that was made already had to be noted. It is not retried as a whole, since
/// that would make the push again; the command goes to <c>subscription-send_error</c>.
/// </summary>
public sealed class WaitingLineException(Exception innerException)
    : Exception($"The waiting line could not be read or written: {innerException.Message}", innerException)
{
    private const int Tries = 7;

    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(150);

    /// <summary>Tries for about ten seconds.</summary>
    /// <exception cref="WaitingLineException">It failed to the last.</exception>
    internal static async Task<T> PatientlyAsync<T>(TimeProvider time, Func<Task<T>> work)
    {
        for (var tried = 1; ; tried++)
        {
            try
            {
                return await work();
            }
            catch (OperationCanceledException)
            {
                throw;
            }
            catch (Exception) when (tried < Tries)
            {
                await Task.Delay(FirstWait * Math.Pow(2, tried - 1), time);
            }
            catch (Exception exception)
            {
                throw new WaitingLineException(exception);
            }
        }
    }
}
